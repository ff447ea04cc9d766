//! The sum that undoes broadcasting, and how broadcast shapes are indexed.

use super::Array;
use crate::tensor::Shape;

/// Sums `from` down to `shape`, which broadcasts to it.
pub fn sum_to(from: &Array, shape: &Shape) -> Array {
    let mut result = Array::zeros(shape.clone());
    for (i, x) in from.data.iter().enumerate() {
        result.data[stretched(&unravel(i, &from.shape), shape)] += x;
    }
    result
}

pub(super) fn size(shape: &Shape, d: usize, rank: usize) -> usize {
    if d + shape.len() < rank { 1 } else { shape[d + shape.len() - rank] }
}

pub(super) fn unravel(mut i: usize, shape: &Shape) -> Vec<usize> {
    let mut index = vec![0; shape.len()];
    for d in (0..shape.len()).rev() {
        index[d] = i % shape[d];
        i /= shape[d];
    }
    index
}

pub(super) fn stretched(index: &[usize], shape: &Shape) -> usize {
    let skip = index.len() - shape.len();
    shape
        .iter()
        .enumerate()
        .fold(0, |flat, (d, &size)| flat * size + if size == 1 { 0 } else { index[skip + d] })
}
