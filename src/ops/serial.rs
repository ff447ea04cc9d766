//! How many terms kernels add one after the other for one element, which is what the rounding of a sum grows with
//! ([`Operator::serial_terms`](super::Operator::serial_terms)).

use super::parts::STRETCH;
use crate::op::MAX_ITERATIONS;

/// Terms that an invocation adds where `lanes` of them share a sum at least: one in each iteration.
pub(super) fn shared(terms: usize, lanes: usize) -> u64 {
    (terms.div_ceil(lanes) as u64).min(MAX_ITERATIONS)
}

/// Terms and stretches where an invocation adds stretches of terms, and those, and perhaps another the parts that
/// several make.
pub(super) fn stretched(terms: usize) -> u64 {
    (terms as u64).min(2 * STRETCH + 2 * (terms as u64 / STRETCH).min(MAX_ITERATIONS / STRETCH))
}

/// Terms of a matrix product: an iteration takes four of them or more, which are added before they join the sum.
pub(super) fn product(terms: usize) -> u64 {
    (terms as u64).min(4 * MAX_ITERATIONS)
}
