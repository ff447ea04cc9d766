//! Sums and their kin over known tensors.

use super::{Call, floats, listed, places, strides};
use crate::onnx::rules::reduced;
use crate::onnx::tensor::{Data, Floats, Tensor};
use crate::tensor::Shape;

pub(super) const KNOWN: &[&str] =
    &["CumSum", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd", "ReduceSum"];

/// What a reduction starts with, and how two become one, as floats and as integers.
type Function = (f64, fn(f64, f64) -> f64, fn(i64, i64) -> i64);

impl Call<'_, '_> {
    pub(super) fn reduce(&self) -> Result<Tensor, String> {
        if self.operator == "CumSum" {
            return self.cumulated();
        }
        let x = self.input(0)?;
        let (kept, noop) =
            (self.attributes.flag("keepdims", true)?, self.attributes.flag("noop_with_empty_axes", false)?);
        let Some((axes, shape)) = reduced(&x.shape, self.list("axes", 1)?, kept, noop)? else {
            return Ok(x.clone());
        };
        // The result's elements with the reduced dimensions of size 1.
        let small: Vec<usize> =
            (0..x.shape.len()).map(|d| if axes.contains(&d) { 1 } else { x.shape[d] }).collect();
        let own = strides(&small);
        let to = places(&x.shape, |d, i| if axes.contains(&d) { 0 } else { i * own[d] })?;
        let count = shape.elements();
        let terms: usize = axes.iter().map(|&d| x.shape[d]).product();
        let (first, combine, ints): Function = match self.operator {
            "ReduceMax" => (f64::NEG_INFINITY, |a, b| if a > b || a.is_nan() { a } else { b }, i64::max),
            "ReduceMin" => (f64::INFINITY, |a, b| if a < b || a.is_nan() { a } else { b }, i64::min),
            "ReduceProd" => (1.0, |a, b| a * b, i64::wrapping_mul),
            _ => (0.0, |a, b| a + b, i64::wrapping_add),
        };
        let mean = self.operator == "ReduceMean";
        let element = x.element;
        let of_floats = |data: Floats<'_>| {
            let mut sums = vec![first; count];
            to.iter().enumerate().for_each(|(i, &to)| sums[to] = combine(sums[to], data.at(i)));
            let divisor = if mean { terms as f64 } else { 1.0 };
            floats(element, count, |i| sums[i] / divisor)
        };
        let data = match &x.data {
            Data::Float(data) => of_floats(Floats::Single(data))?,
            Data::Double(data) => of_floats(Floats::Double(data))?,
            Data::Int(data) => {
                let [least, largest] = element.range();
                let first = match self.operator {
                    "ReduceMax" => least,
                    "ReduceMin" => largest,
                    _ => first as i64,
                };
                let mut sums = vec![first; count];
                to.iter().zip(data).for_each(|(&to, &x)| sums[to] = ints(sums[to], x));
                let divisor = if mean { (terms as i64).max(1) } else { 1 };
                Data::Int(listed(count, |i| element.wrap(sums[i] / divisor))?)
            }
            Data::Bool(data) => {
                let larger = match self.operator {
                    "ReduceMax" => true,
                    "ReduceMin" => false,
                    _ => return Err("expects numbers, found truth values".into()),
                };
                let mut all = vec![!larger; count];
                to.iter().zip(data).filter(|(_, x)| **x == larger).for_each(|(&to, _)| all[to] = larger);
                Data::Bool(all)
            }
        };
        Ok(Tensor { element, shape: Shape::clone(&shape), data })
    }

    fn cumulated(&self) -> Result<Tensor, String> {
        let mut x = self.input(0)?.clone();
        let along = match self.ints(1)? {
            &[given] => crate::onnx::rules::axis(given, x.shape.len())?,
            other => return Err(format!("its axis must be one number, found {}", other.len())),
        };
        let (exclusive, reverse) =
            (self.attributes.flag("exclusive", false)?, self.attributes.flag("reverse", false)?);
        let (size, stride) = (x.shape[along], strides(&x.shape)[along]);
        let element = x.element;
        let starts: Vec<usize> = (0..x.elements()).filter(|i| i / stride % size == 0).collect();
        for start in starts {
            let place = |i: usize| {
                let at = if reverse { size - 1 - i } else { i };
                start + at * stride
            };
            match &mut x.data {
                Data::Float(data) => {
                    let mut sum = 0.0;
                    for i in 0..size {
                        let next = sum + data[place(i)];
                        data[place(i)] = element.round(f64::from(if exclusive { sum } else { next }));
                        sum = next;
                    }
                }
                Data::Double(data) => {
                    let mut sum = 0.0;
                    for i in 0..size {
                        let next = sum + data[place(i)];
                        data[place(i)] = if exclusive { sum } else { next };
                        sum = next;
                    }
                }
                Data::Int(data) => {
                    let mut sum = 0i64;
                    for i in 0..size {
                        let next = sum.wrapping_add(data[place(i)]);
                        data[place(i)] = element.wrap(if exclusive { sum } else { next });
                        sum = next;
                    }
                }
                Data::Bool(_) => return Err("expects numbers, found truth values".into()),
            }
        }
        Ok(x)
    }
}
