//! Conversions of known tensors, and choices between them.

use super::elementwise::stretched;
use super::{broadcast, floats, listed};
use crate::onnx::ElementType;
use crate::onnx::tensor::{Data, Floats, Tensor};

/// A tensor as another element type.
pub(super) fn cast(x: &Tensor, to: ElementType) -> Result<Tensor, String> {
    let count = x.elements();
    let of_floats = |data: Floats<'_>| {
        Ok::<_, String>(match to {
            _ if to.is_float() => floats(to, count, |i| data.at(i))?,
            ElementType::Bool => Data::Bool(listed(count, |i| data.at(i) != 0.0)?),
            _ => Data::Int(listed(count, |i| to.wrap(data.at(i) as i64))?),
        })
    };
    let data = match &x.data {
        Data::Float(data) => of_floats(Floats::Single(data))?,
        Data::Double(data) => of_floats(Floats::Double(data))?,
        Data::Int(data) if to == ElementType::F64 => Data::Double(listed(count, |i| data[i] as f64)?),
        // Rounded once: f64 does not hold all integers.
        Data::Int(data) if to.is_float() => floats(to, count, |i| f64::from(data[i] as f32))?,
        Data::Int(data) if to == ElementType::Bool => Data::Bool(listed(count, |i| data[i] != 0)?),
        Data::Int(data) => Data::Int(listed(count, |i| to.wrap(data[i]))?),
        Data::Bool(data) if to.is_float() => floats(to, count, |i| f64::from(u8::from(data[i])))?,
        Data::Bool(data) if to == ElementType::Bool => Data::Bool(data.clone()),
        Data::Bool(data) => Data::Int(listed(count, |i| data[i].into())?),
    };
    Ok(Tensor { element: to, shape: x.shape.clone(), data })
}

/// The first or the second, where a condition says so.
pub(super) fn choose([condition, a, b]: [&Tensor; 3]) -> Result<Tensor, String> {
    let shape = broadcast(&broadcast(&condition.shape, &a.shape)?, &b.shape)?;
    let condition = stretched(condition, &shape)?;
    let Some(condition) = condition.as_bools() else {
        return Err(format!("expects a condition of truth values, found {}", condition.element));
    };
    let (a, b) = (stretched(a, &shape)?, stretched(b, &shape)?);
    fn pick<T: Copy>(condition: &[bool], a: &[T], b: &[T]) -> Result<Vec<T>, String> {
        listed(condition.len(), |i| if condition[i] { a[i] } else { b[i] })
    }
    let data = match (&a.data, &b.data) {
        (Data::Float(a), Data::Float(b)) => Data::Float(pick(condition, a, b)?),
        (Data::Double(a), Data::Double(b)) => Data::Double(pick(condition, a, b)?),
        (Data::Int(a), Data::Int(b)) => Data::Int(pick(condition, a, b)?),
        (Data::Bool(a), Data::Bool(b)) => Data::Bool(pick(condition, a, b)?),
        _ => return Err(format!("can't choose between {} and {}", a.element, b.element)),
    };
    Ok(Tensor { element: a.element, shape, data })
}
