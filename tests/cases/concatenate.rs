//! Concatenation along any axis.

use crate::harness::{Case, numbers};
use wgrad::ops::concatenate::Concatenate;

/// Tensors of these sizes along the axis.
pub fn case(name: &str, shape: &[usize], axis: usize, sizes: &[usize]) -> Case {
    let inputs = sizes.iter().zip(1..).map(|(&size, seed)| {
        let mut shape = shape.to_vec();
        shape[axis] = size;
        numbers(shape, seed)
    });
    Case::new(name, Concatenate { axis }, inputs.collect())
}

pub fn cases() -> Vec<Case> {
    vec![
        case("one tensor", &[3, 5], 1, &[5]),
        case("rows past a workgroup", &[1, 67], 0, &[3, 1, 5]),
        case("channels of images", &[2, 1, 5, 7], 1, &[3, 4]),
        case("channels of images, in fours", &[3, 1, 2, 6], 1, &[1, 5, 2]),
        case("the innermost", &[13, 2, 1], 2, &[3, 1, 7]),
        case("more than one dispatch takes", &[5, 1, 3], 1, &[1, 2, 3, 4, 5, 6, 7, 8, 9]),
        case("a chunk in fours", &[2, 1, 4], 1, &[1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1]),
        case("six dimensions", &[2, 1, 3, 1, 2, 2], 3, &[2, 3]),
    ]
}

/// A skip connection, and a block of densely connected layers.
pub fn large() -> Vec<Case> {
    vec![
        case("16x(64 + 64)x56x56", &[16, 1, 56, 56], 1, &[64, 64]),
        case("16x(64 + 6 times 32)x28x28", &[16, 1, 28, 28], 1, &[64, 32, 32, 32, 32, 32, 32]),
    ]
}
