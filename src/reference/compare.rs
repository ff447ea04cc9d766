//! Comparisons of two tensors and choices between two, with broadcasting.

use super::{coordinates, element};
use crate::op::{Array, Reference};
use crate::ops::compare::{Compare, Where, WhereGrad};
use crate::tensor::Shape;

/// 1 for each pair of elements that the comparison holds for, else 0.
impl Reference for Compare {
    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        vec![broadcast(inputs, |pair| {
            let (a, b) = (pair[0], pair[1]);
            f64::from(u8::from(match self {
                Compare::Eq => a == b,
                Compare::Ne => a != b,
                Compare::Lt => a < b,
                Compare::Le => a <= b,
                Compare::Gt => a > b,
                Compare::Ge => a >= b,
            }))
        })]
    }
}

impl Reference for Where {
    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        vec![broadcast(inputs, |three| if three[0] != 0.0 { three[1] } else { three[2] })]
    }
}

/// Not yet summed to the operand's shape.
impl Reference for WhereGrad {
    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        vec![broadcast(inputs, |pair| if (pair[0] != 0.0) == self.chosen { pair[1] } else { 0.0 })]
    }
}

/// A function of the elements that broadcasting puts in the same place.
fn broadcast(inputs: &[&Array], f: impl Fn(&[f64]) -> f64) -> Array {
    let rank = inputs.iter().map(|input| input.shape.len()).max().unwrap_or(0);
    let size =
        |shape: &Shape, d: usize| if d + shape.len() < rank { 1 } else { shape[d + shape.len() - rank] };
    let largest = |d: usize| inputs.iter().map(|input| size(&input.shape, d)).max().unwrap_or(1);
    let mut result = Array::zeros((0..rank).map(largest).collect::<Vec<usize>>());
    for i in 0..result.data.len() {
        let index = coordinates(i, &result.shape);
        let here: Vec<f64> = inputs.iter().map(|input| input.data[element(&index, &input.shape)]).collect();
        result.data[i] = f(&here);
    }
    result
}
