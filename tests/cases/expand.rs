//! Expand: broadcasting as an operator.

use crate::harness::{Case, numbers};
use wgrad::ops::expand::Expand;

pub fn cases() -> Vec<Case> {
    let expand = |name, from: &[usize], to: &[usize]| {
        Case::new(name, Expand { shape: to.into() }, vec![numbers(from, 1)])
    };
    vec![
        expand("a scalar", &[], &[3, 5]),
        expand("channels of images, in fours", &[2, 3, 1, 1], &[2, 3, 4, 6]),
        expand("a prime", &[5, 1, 7], &[5, 11, 7]),
        expand("new dimensions", &[4, 1], &[2, 3, 4, 5]),
        expand("nothing to do", &[3, 4], &[3, 4]),
    ]
}

/// The gradient of a mean over an image.
pub fn large() -> Vec<Case> {
    vec![Case::new(
        "64x32x1x1 to 64x32x14x14",
        Expand { shape: [64, 32, 14, 14].into() },
        vec![numbers([64, 32, 1, 1], 1)],
    )]
}
