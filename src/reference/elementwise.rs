//! Addition with broadcasting, and the sum that undoes it.

use super::Array;
use crate::tensor::Shape;

/// `lhs + rhs` with both broadcast to the larger shape.
pub fn add(lhs: &Array, rhs: &Array) -> Array {
    let rank = lhs.shape.len().max(rhs.shape.len());
    let sizes: Vec<usize> =
        (0..rank).map(|d| size(&lhs.shape, d, rank).max(size(&rhs.shape, d, rank))).collect();
    let mut result = Array::zeros(sizes);
    for i in 0..result.data.len() {
        let index = unravel(i, &result.shape);
        result.data[i] = lhs.data[stretched(&index, &lhs.shape)] + rhs.data[stretched(&index, &rhs.shape)];
    }
    result
}

/// Sums `from` down to `shape`, which broadcasts to it.
pub fn sum_to(from: &Array, shape: &Shape) -> Array {
    let mut result = Array::zeros(shape.clone());
    for (i, x) in from.data.iter().enumerate() {
        result.data[stretched(&unravel(i, &from.shape), shape)] += x;
    }
    result
}

fn size(shape: &Shape, d: usize, rank: usize) -> usize {
    if d + shape.len() < rank { 1 } else { shape[d + shape.len() - rank] }
}

fn unravel(mut i: usize, shape: &Shape) -> Vec<usize> {
    let mut index = vec![0; shape.len()];
    for d in (0..shape.len()).rev() {
        index[d] = i % shape[d];
        i /= shape[d];
    }
    index
}

fn stretched(index: &[usize], shape: &Shape) -> usize {
    let skip = index.len() - shape.len();
    shape
        .iter()
        .enumerate()
        .fold(0, |flat, (d, &size)| flat * size + if size == 1 { 0 } else { index[skip + d] })
}
