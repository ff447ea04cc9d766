//! Arithmetic of two tensors with broadcasting.

use super::{coordinates, element};
use crate::op::{Array, Reference};
use crate::ops::arithmetic::{Binary, ExtremumGrad};
use crate::tensor::Shape;

/// The function of each pair of elements, with both tensors broadcast to a common shape.
impl Reference for Binary {
    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        vec![broadcast(inputs[0], inputs[1], |a, b| match self {
            Binary::Add => a + b,
            Binary::Sub => a - b,
            Binary::Mul => a * b,
            Binary::Div => a / b,
            // The standard library's functions would return the other operand for NaN.
            Binary::Maximum => {
                if a > b || a.is_nan() {
                    a
                } else {
                    b
                }
            }
            Binary::Minimum => {
                if a < b || a.is_nan() {
                    a
                } else {
                    b
                }
            }
        })]
    }
}

/// The gradient of the larger or the smaller of two by the second input, not yet summed to its shape. If either is
/// NaN, both get it.
impl Reference for ExtremumGrad {
    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let [dy, own, other] = [0, 1, 2].map(|i| inputs[i]);
        let share = broadcast(own, other, |own, other| {
            let behind = if self.function == Binary::Minimum { own > other } else { own < other };
            if behind {
                0.0
            } else if own == other {
                0.5
            } else {
                1.0
            }
        });
        vec![dy.zip(&share, |dy, share| if share == 0.0 { 0.0 } else { dy * share })]
    }
}

fn broadcast(lhs: &Array, rhs: &Array, f: impl Fn(f64, f64) -> f64) -> Array {
    let rank = lhs.shape.len().max(rhs.shape.len());
    let size =
        |shape: &Shape, d: usize| if d + shape.len() < rank { 1 } else { shape[d + shape.len() - rank] };
    let sizes: Vec<usize> = (0..rank).map(|d| size(&lhs.shape, d).max(size(&rhs.shape, d))).collect();
    let mut result = Array::zeros(sizes);
    for i in 0..result.data.len() {
        let index = coordinates(i, &result.shape);
        result.data[i] = f(lhs.data[element(&index, &lhs.shape)], rhs.data[element(&index, &rhs.shape)]);
    }
    result
}
