//! Slices of any dimensions, with steps of either sign, and their gradients.

use crate::harness::{Case, numbers};
use wgrad::ops::slice::{Slice, SliceAxis, SliceGrad};

/// A slice and its gradient. For each dimension start, step and size.
pub fn passes(name: &str, shape: &[usize], axes: &[(usize, isize, usize)]) -> Vec<Case> {
    let axes: Vec<SliceAxis> =
        axes.iter().map(|&(start, step, size)| SliceAxis { start, step, size }).collect();
    let sizes: Vec<usize> = axes.iter().map(|axis| axis.size).collect();
    let forward = Slice { axes };
    let gradient = SliceGrad { forward: forward.clone(), input: shape.into() };
    vec![
        Case::new(name, forward, vec![numbers(shape, 1)]),
        Case::new(name, gradient, vec![numbers(sizes, 2)]),
    ]
}

pub fn cases() -> Vec<Case> {
    [
        passes("a scalar", &[], &[]),
        passes("channels, in fours", &[3, 7, 2, 6], &[(0, 1, 3), (2, 1, 3), (0, 1, 2), (0, 1, 6)]),
        passes("columns in fours", &[5, 16], &[(0, 1, 5), (4, 1, 8)]),
        passes("columns that fours do not divide", &[17, 13], &[(0, 1, 17), (5, 1, 7)]),
        passes("every third", &[67, 5], &[(2, 3, 22), (0, 1, 5)]),
        passes("rows backwards in fours", &[11, 12], &[(10, -2, 5), (0, 1, 12)]),
        passes("columns backwards", &[3, 5, 8], &[(0, 1, 3), (4, -1, 5), (7, -1, 8)]),
        passes("one element, whatever the step", &[4, 5], &[(3, isize::MIN, 1), (2, isize::MAX, 1)]),
        passes(
            "six dimensions",
            &[3, 4, 5, 2, 3, 7],
            &[(2, -1, 2), (0, 3, 2), (1, 2, 2), (1, 1, 1), (0, 2, 2), (6, -3, 3)],
        ),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Half the channels, every second pixel, mirrored images.
pub fn large() -> Vec<Case> {
    let shape = [16, 64, 56, 56];
    [
        passes("half the channels of 16x64x56x56", &shape, &[(0, 1, 16), (0, 1, 32), (0, 1, 56), (0, 1, 56)]),
        passes(
            "every second pixel of 16x64x56x56",
            &shape,
            &[(0, 1, 16), (0, 1, 64), (0, 2, 28), (0, 2, 28)],
        ),
        passes("mirrored 16x64x56x56", &shape, &[(0, 1, 16), (0, 1, 64), (0, 1, 56), (55, -1, 56)]),
    ]
    .into_iter()
    .flatten()
    .collect()
}
