//! Arithmetic of two tensors with broadcasting.

use super::coordinates;
use super::elementwise::{size, stretched};
use crate::op::{Array, Reference};
use crate::ops::arithmetic::Binary;
use crate::ops::arithmetic::ExtremumGrad;

/// `f(lhs, rhs)` with both broadcast to a common shape.
pub fn binary(function: Binary, lhs: &Array, rhs: &Array) -> Array {
    broadcast(lhs, rhs, |a, b| match function {
        Binary::Add => a + b,
        Binary::Sub => a - b,
        Binary::Mul => a * b,
        Binary::Div => a / b,
        // The standard library's would take the other one for NaN.
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
    })
}

/// The gradient of the larger or the smaller of two by the input `own`, not yet summed to its shape. Where either is
/// NaN both get it.
pub fn extremum_grad(function: Binary, dy: &Array, own: &Array, other: &Array) -> Array {
    let share = broadcast(own, other, |own, other| {
        let behind = if function == Binary::Minimum { own > other } else { own < other };
        if behind {
            0.0
        } else if own == other {
            0.5
        } else {
            1.0
        }
    });
    dy.zip(&share, |dy, share| if share == 0.0 { 0.0 } else { dy * share })
}

fn broadcast(lhs: &Array, rhs: &Array, f: impl Fn(f64, f64) -> f64) -> Array {
    let rank = lhs.shape.len().max(rhs.shape.len());
    let sizes: Vec<usize> =
        (0..rank).map(|d| size(&lhs.shape, d, rank).max(size(&rhs.shape, d, rank))).collect();
    let mut result = Array::zeros(sizes);
    for i in 0..result.data.len() {
        let index = coordinates(i, &result.shape);
        result.data[i] = f(lhs.data[stretched(&index, &lhs.shape)], rhs.data[stretched(&index, &rhs.shape)]);
    }
    result
}

impl Reference for Binary {
    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        vec![binary(*self, inputs[0], inputs[1])]
    }
}

impl Reference for ExtremumGrad {
    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        vec![extremum_grad(self.function, inputs[0], inputs[1], inputs[2])]
    }
}
