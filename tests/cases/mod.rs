//! The case tables: one file an operator family, used by tests and benches alike.

pub mod activation;
pub mod cross_entropy;
pub mod elementwise;
pub mod optimizer;
pub mod reshape;

use crate::harness::Case;

/// Every case of every operator.
pub fn all() -> Vec<(&'static str, Vec<Case>)> {
    vec![
        ("activation", activation::cases()),
        ("cross_entropy", cross_entropy::cases()),
        ("elementwise", elementwise::cases()),
        ("optimizer", optimizer::cases()),
        ("reshape", reshape::cases()),
    ]
}
