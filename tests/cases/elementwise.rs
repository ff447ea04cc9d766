//! Addition with broadcasting, its gradient's sum, copy.

use crate::harness::{Case, numbers};
use wgrad::Shape;
use wgrad::ops::elementwise::{Add, Copy, SumTo};

pub fn cases() -> Vec<Case> {
    let add =
        |name, lhs: &[usize], rhs: &[usize]| Case::new(name, Add, vec![numbers(lhs, 1), numbers(rhs, 2)]);
    let sum = |name, from: &[usize], to: &[usize]| {
        Case::new(name, SumTo { shape: Shape::from(to) }, vec![numbers(from, 3)])
    };
    vec![
        add("one element", &[1], &[1]),
        add("a prime past a workgroup", &[67], &[67]),
        add("a bias along the last dimension", &[5, 7], &[7]),
        add("a bias along channels", &[2, 3, 4, 5], &[3, 1, 1]),
        add("both stretch", &[4, 1, 3], &[1, 5, 1]),
        add("six dimensions", &[2, 1, 3, 1, 2, 2], &[2, 2, 1, 3, 1, 2]),
        add("a scalar", &[3, 3], &[]),
        sum("to a scalar", &[13, 11], &[]),
        sum("over rows", &[129, 7], &[7]),
        sum("over all but channels", &[3, 5, 7, 2], &[5, 1, 1]),
        sum("over alternate dimensions", &[2, 3, 4, 5, 6, 7], &[2, 1, 4, 1, 6, 1]),
        sum("nothing to sum", &[3, 4], &[3, 4]),
        Case::new("a prime", Copy, vec![numbers([131], 4)]),
    ]
}

/// A bias' gradient, a residual addition.
pub fn large() -> Vec<Case> {
    let activation = [64, 32, 14, 14];
    vec![
        Case::new("64x32x14x14", Add, vec![numbers(activation, 1), numbers(activation, 2)]),
        Case::new("64x600 to 600", SumTo { shape: Shape::from([600]) }, vec![numbers([64, 600], 3)]),
        Case::new("64x32x14x14", Copy, vec![numbers(activation, 4)]),
    ]
}
