//! The linear layer: a product and a bias.

use super::elementwise;
use super::matmul::matmul;
use crate::op::{Array, Reference};
use crate::ops::linear::{Linear, LinearGradWeight};
use crate::tensor::Shape;

impl Reference for LinearGradWeight {
    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let out = Shape::from([inputs[0].shape[1]]);
        vec![matmul(inputs[0], inputs[1], true, false), elementwise::sum_to(inputs[0], &out)]
    }

    fn largest_sum_of_terms(&self, output: usize, inputs: &[&Array]) -> Option<f64> {
        let out = Shape::from([inputs[0].shape[1]]);
        (output == 1).then(|| elementwise::sum_to(&inputs[0].map(f64::abs), &out).largest())
    }
}

/// `x W^T + b`.
impl Reference for Linear {
    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let mut result = matmul(inputs[0], inputs[1], false, true);
        if let Some(bias) = inputs.get(2) {
            let n = bias.data.len();
            for (i, y) in result.data.iter_mut().enumerate() {
                *y += bias.data[i % n];
            }
        }
        vec![result]
    }
}
