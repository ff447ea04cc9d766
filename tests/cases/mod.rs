//! The case tables: one file an operator family, used by tests and benches alike.

#![allow(dead_code, reason = "tests use the small cases, benches the large ones")]

pub mod conv2d;
pub mod elementwise;
pub mod matmul;

use crate::harness::Case;

/// Every case of every operator.
pub fn all() -> Vec<(&'static str, Vec<Case>)> {
    vec![("conv2d", conv2d::cases()), ("elementwise", elementwise::cases()), ("matmul", matmul::cases())]
}

/// Cases of real networks' sizes, for benches: the seed network's and a ResNet's.
pub fn large() -> Vec<Case> {
    [conv2d::large(), elementwise::large(), matmul::large()].into_iter().flatten().collect()
}
