//! The sum that undoes broadcasting, copy.

use crate::harness::{Case, numbers};
use wgrad::Shape;
use wgrad::ops::elementwise::{Copy, SumTo};

fn sum(name: &str, from: &[usize], to: &[usize]) -> Case {
    Case::new(name, SumTo { shape: Shape::from(to) }, vec![numbers(from, 3)])
}

pub fn cases() -> Vec<Case> {
    vec![
        sum("to a scalar", &[13, 11], &[]),
        sum("over rows", &[129, 7], &[7]),
        sum("over all but channels", &[3, 5, 7, 2], &[5, 1, 1]),
        sum("over alternate dimensions", &[2, 3, 4, 5, 6, 7], &[2, 1, 4, 1, 6, 1]),
        sum("nothing to sum", &[3, 4], &[3, 4]),
        sum("over rows of a multiple of four", &[131, 12], &[12]),
        sum("over many rows of few columns", &[8209, 3], &[3]),
        sum("over many rows, whose parts make a multiple of four", &[4100, 7], &[1, 7]),
        sum("over one row", &[1, 5, 1, 3], &[5, 1, 3]),
        sum("over few of many channels", &[2, 301, 2, 2], &[301, 1, 1]),
        sum("over planes of a multiple of four", &[37, 3, 6, 6], &[3, 1, 1]),
        sum("over odd planes in parts", &[101, 3, 7, 7], &[3, 1, 1]),
        sum("over the last dimension", &[67, 13], &[67, 1]),
        sum("to a scalar, in parts", &[257, 263], &[]),
        Case::new("a prime", Copy, vec![numbers([131], 4)]),
    ]
}

/// Gradients of biases, a loss.
pub fn large() -> Vec<Case> {
    let activation = [64, 32, 14, 14];
    vec![
        sum("64x32x14x14 to 32x1x1", &activation, &[32, 1, 1]),
        sum("64x8x28x28 to 8x1x1", &[64, 8, 28, 28], &[8, 1, 1]),
        sum("64x600 to 600", &[64, 600], &[600]),
        sum("64x32x14x14 to a scalar", &activation, &[]),
        Case::new("64x32x14x14", Copy, vec![numbers(activation, 4)]),
    ]
}
