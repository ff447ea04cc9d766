//! Tensors from sizes: shapes, ranges, constants of a shape.

use super::{Call, counted, floats, listed};
use crate::onnx::ElementType;
use crate::onnx::tensor::{Data, Tensor};
use crate::tensor::Shape;

pub(super) const KNOWN: &[&str] = &["ConstantOfShape", "EyeLike", "Range", "Shape", "Size"];

impl Call<'_, '_> {
    pub(super) fn make(&self) -> Result<Tensor, String> {
        match self.operator {
            "Shape" => self.sizes(),
            "Size" => Ok(Tensor::ints(ElementType::I64, [], vec![self.known_shape()?.elements() as i64])),
            "ConstantOfShape" => self.constant_of_shape(),
            "EyeLike" => self.eye(),
            _ => self.range(),
        }
    }

    fn known_shape(&self) -> Result<&Shape, String> {
        self.shape.ok_or_else(|| "input 0 is missing".to_owned())
    }

    fn sizes(&self) -> Result<Tensor, String> {
        let shape = self.known_shape()?;
        let rank = shape.len() as i64;
        let bound =
            |given: i64| (if given < 0 { given.saturating_add(rank) } else { given }).clamp(0, rank) as usize;
        let (start, end) =
            (bound(self.attributes.int("start", 0)?), bound(self.attributes.int("end", rank)?));
        Ok(Tensor::list(shape[start..end.max(start)].iter().map(|&size| size as i64).collect()))
    }

    fn constant_of_shape(&self) -> Result<Tensor, String> {
        let sizes = self.ints(0)?;
        let sizes: Result<Vec<usize>, _> = sizes.iter().map(|&size| usize::try_from(size)).collect();
        let shape = Shape::from(sizes.map_err(|_| "a size is negative".to_owned())?);
        let count = counted(&shape)?;
        let value = self.attributes.maybe_tensor("value")?;
        let value = value.unwrap_or_else(|| Tensor::floats(ElementType::F32, [1], vec![0.0]));
        if value.elements() != 1 {
            return Err(format!("its value must have one element, found {}", value.shape));
        }
        let data = match &value.data {
            Data::Float(data) => Data::Float(listed(count, |_| data[0])?),
            Data::Double(data) => Data::Double(listed(count, |_| data[0])?),
            Data::Int(data) => Data::Int(listed(count, |_| data[0])?),
            Data::Bool(data) => Data::Bool(listed(count, |_| data[0])?),
        };
        Ok(Tensor { element: value.element, shape, data })
    }

    fn eye(&self) -> Result<Tensor, String> {
        let x = self.input(0)?;
        let &[rows, columns] = &x.shape[..] else {
            return Err(format!("expects two dimensions, found {}", x.shape));
        };
        let shape = Shape::from([rows, columns]);
        let diagonal = self.attributes.int("k", 0)?;
        let element = self.attributes.maybe_int("dtype")?.map_or(Ok(x.element), ElementType::of)?;
        let one = |i: usize| i64::from((i % columns) as i64 - (i / columns) as i64 == diagonal);
        let ones = Tensor::ints(ElementType::I64, shape.clone(), listed(counted(&shape)?, one)?);
        super::converting::cast(&ones, element)
    }

    fn range(&self) -> Result<Tensor, String> {
        let (start, limit, step) = (self.input(0)?, self.input(1)?, self.input(2)?);
        let element = start.element;
        let single = |tensor: &Tensor| match tensor.to_f64()[..] {
            [number] => Ok(number),
            _ => Err(format!("expects single numbers, found shape {}", tensor.shape)),
        };
        let (from, to, by) = (single(start)?, single(limit)?, single(step)?);
        let count = ((to - from) / by).ceil().max(0.0);
        if !count.is_finite() {
            return Err(format!("a range from {from} to {to} by {by} has no end"));
        }
        let shape = Shape::from([count as usize]);
        let count = counted(&shape)?;
        let number = |i: usize| from + i as f64 * by;
        Ok(if element.is_float() {
            Tensor { element, data: floats(element, count, number)?, shape }
        } else {
            Tensor::ints(element, shape, listed(count, |i| number(i) as i64)?)
        })
    }
}
