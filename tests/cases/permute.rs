//! Dimensions in any order.

use crate::harness::{Case, numbers};
use wgrad::ops::permute::Permute;

pub fn case(name: &str, shape: &[usize], axes: &[usize]) -> Case {
    Case::new(name, Permute { axes: axes.to_vec() }, vec![numbers(shape, 1)])
}

pub fn cases() -> Vec<Case> {
    vec![
        case("a scalar", &[], &[]),
        case("nothing to do", &[3, 5], &[0, 1]),
        case("a matrix past a workgroup", &[67, 37], &[1, 0]),
        case("images to channels last", &[2, 5, 7, 11], &[0, 2, 3, 1]),
        case("channels last to images", &[2, 7, 11, 5], &[0, 3, 1, 2]),
        case("the innermost stays, in fours", &[3, 5, 2, 8], &[2, 0, 1, 3]),
        case("the innermost stays, odd", &[3, 5, 7], &[1, 0, 2]),
        case("dimensions of one", &[1, 6, 1, 5], &[3, 0, 2, 1]),
        case("six dimensions backwards", &[2, 3, 4, 5, 2, 3], &[5, 4, 3, 2, 1, 0]),
        case("six dimensions", &[2, 3, 4, 5, 2, 3], &[3, 0, 5, 1, 4, 2]),
    ]
}

/// Images to channels last, heads of attention, a matrix.
pub fn large() -> Vec<Case> {
    vec![
        case("16x64x56x56 to channels last", &[16, 64, 56, 56], &[0, 2, 3, 1]),
        case("32x197x3x64, heads first", &[32, 197, 3, 64], &[0, 2, 1, 3]),
        case("2048x2048", &[2048, 2048], &[1, 0]),
    ]
}
