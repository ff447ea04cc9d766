//! PReLU and its gradients.

use crate::harness::{Case, numbers};
use wgrad::ops::prelu::{PRelu, PReluGrad, PReluGradWeight};

/// Forward and backward.
pub fn passes(name: &str, x: &[usize], weight: &[usize]) -> [Case; 3] {
    let (x, dy, weight) = (numbers(x, 1), numbers(x, 3), numbers(weight, 2));
    [
        Case::new(name, PRelu, vec![x.clone(), weight.clone()]),
        Case::new(name, PReluGrad, vec![x.clone(), weight, dy.clone()]),
        Case::new(name, PReluGradWeight, vec![x, dy]),
    ]
}

pub fn cases() -> Vec<Case> {
    [
        passes("one weight", &[3, 5, 7], &[1]),
        passes("a scalar, four at a time", &[8], &[]),
        passes("a weight a channel", &[2, 5, 3, 4], &[5]),
        passes("features, four at a time", &[3, 8], &[8]),
        passes("channels that four straddle", &[2, 2, 3], &[2]),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The seed network's activations.
pub fn large() -> Vec<Case> {
    passes("64x32x14x14", &[64, 32, 14, 14], &[32]).into()
}
