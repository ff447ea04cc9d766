//! The sum that undoes broadcasting, and the copy.

use super::{coordinates, element};
use crate::op::{Array, Reference};
use crate::ops::elementwise::{Copy, SumTo};
use crate::tensor::Shape;

/// Sums `from` down to `shape`, which broadcasts to it.
pub(super) fn sum_to(from: &Array, shape: &Shape) -> Array {
    let mut result = Array::zeros(shape.clone());
    for (i, x) in from.data.iter().enumerate() {
        result.data[element(&coordinates(i, &from.shape), shape)] += x;
    }
    result
}

impl Reference for SumTo {
    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        vec![sum_to(inputs[0], &self.shape)]
    }

    fn largest_sum_of_terms(&self, _output: usize, inputs: &[&Array]) -> Option<f64> {
        Some(sum_to(&inputs[0].map(f64::abs), &self.shape).largest())
    }
}

impl Reference for Copy {
    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        vec![inputs[0].clone()]
    }
}
