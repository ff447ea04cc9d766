//! The case tables: one file an operator family, used by tests and benches alike.

pub mod batch_norm;
pub mod elementwise;
pub mod pool2d;

use crate::harness::Case;

/// Every case of every operator.
pub fn all() -> Vec<(&'static str, Vec<Case>)> {
    vec![
        ("elementwise", elementwise::cases()),
        ("pool2d", pool2d::cases()),
        ("batch_norm", batch_norm::cases()),
    ]
}
