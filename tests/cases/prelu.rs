//! PReLU and its gradient by the input.

use crate::harness::{Case, numbers};
use wgrad::ops::prelu::{PRelu, PReluGrad};

/// Forward and backward.
pub fn pair(name: &str, x: &[usize], weight: &[usize]) -> [Case; 2] {
    let (x, dy, weight) = (numbers(x, 1), numbers(x, 3), numbers(weight, 2));
    [Case::new(name, PRelu, vec![x.clone(), weight.clone()]), Case::new(name, PReluGrad, vec![x, weight, dy])]
}

pub fn cases() -> Vec<Case> {
    [
        pair("one weight", &[3, 5, 7], &[1]),
        pair("a scalar, four at a time", &[8], &[]),
        pair("a weight a channel", &[2, 5, 3, 4], &[5]),
        pair("features, four at a time", &[3, 8], &[8]),
        pair("channels that four straddle", &[2, 2, 3], &[2]),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The seed network's activations.
pub fn large() -> Vec<Case> {
    pair("64x32x14x14", &[64, 32, 14, 14], &[32]).into()
}
