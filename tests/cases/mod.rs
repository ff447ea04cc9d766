//! The case tables: one file an operator family, used by tests and benches alike.

pub mod conv2d;
pub mod elementwise;
pub mod matmul;

use crate::harness::Case;

/// Every case of every operator.
pub fn all() -> Vec<(&'static str, Vec<Case>)> {
    vec![("conv2d", conv2d::cases()), ("elementwise", elementwise::cases()), ("matmul", matmul::cases())]
}
