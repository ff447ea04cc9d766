//! The sum that undoes broadcasting, and how broadcast shapes are indexed.

use super::coordinates;
use crate::op::{Array, Reference};
use crate::ops::elementwise::{Copy, SumTo};
use crate::tensor::Shape;

/// Sums `from` down to `shape`, which broadcasts to it.
pub fn sum_to(from: &Array, shape: &Shape) -> Array {
    let mut result = Array::zeros(shape.clone());
    for (i, x) in from.data.iter().enumerate() {
        result.data[stretched(&coordinates(i, &from.shape), shape)] += x;
    }
    result
}

pub(super) fn size(shape: &Shape, d: usize, rank: usize) -> usize {
    if d + shape.len() < rank { 1 } else { shape[d + shape.len() - rank] }
}

pub(super) fn stretched(index: &[usize], shape: &Shape) -> usize {
    let skip = index.len() - shape.len();
    shape
        .iter()
        .enumerate()
        .fold(0, |flat, (d, &size)| flat * size + if size == 1 { 0 } else { index[skip + d] })
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
