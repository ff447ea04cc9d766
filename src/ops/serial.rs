//! Counts of terms that kernels add one after the other for one element. The rounding of a sum grows with them
//! ([`Operator::serial_terms`](super::Operator::serial_terms)).

use super::parts::STRETCH;
use crate::op::MAX_ITERATIONS;

/// Terms that an invocation adds, one per iteration, if at least `lanes` of them share a sum.
pub(super) fn shared(terms: usize, lanes: usize) -> u64 {
    (terms.div_ceil(lanes) as u64).min(MAX_ITERATIONS)
}

/// For an invocation that adds terms to stretches and stretches to a sum, and perhaps another one that adds the parts
/// of several.
pub(super) fn stretched(terms: usize) -> u64 {
    (terms as u64).min(2 * STRETCH + 2 * (terms as u64 / STRETCH).min(MAX_ITERATIONS / STRETCH))
}

/// Terms of a matrix product. An iteration adds four of them or more before they join the sum.
pub(super) fn product(terms: usize) -> u64 {
    (terms as u64).min(4 * MAX_ITERATIONS)
}
