//! Reshape, a view.

use crate::harness::{Case, numbers};
use wgrad::Shape;
use wgrad::ops::reshape::Reshape;

pub fn cases() -> Vec<Case> {
    let reshape = |name, from: &[usize], to: &[usize]| {
        Case::new(name, Reshape { shape: Shape::from(to) }, vec![numbers(from, 1)])
    };
    vec![
        reshape("to a scalar", &[1, 1], &[]),
        reshape("flatten", &[3, 2, 5, 7], &[3, 70]),
        reshape("other factors", &[6, 35], &[5, 7, 6]),
        reshape("nothing to do", &[11], &[11]),
    ]
}

/// A view costs nothing: there is nothing to time.
pub fn large() -> Vec<Case> {
    Vec::new()
}
