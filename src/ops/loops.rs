//! Iteration counts of common loops, and the size of parts where one invocation's loop would be too long
//! ([`MAX_ITERATIONS`]).

use crate::op::MAX_ITERATIONS;

/// Terms per invocation in a sum that is split because it is long: few enough for short loops, and enough that the
/// parts need little memory compared with the terms.
pub(super) const CUT_TERMS: usize = 1024;

/// Iterations of a loop over `terms` that `lanes` share.
pub(super) fn shared(terms: usize, lanes: usize) -> u64 {
    terms.div_ceil(lanes) as u64
}

/// Iterations of a loop over stretches of terms, each a loop within it.
pub(super) fn stretched(terms: u64, stretch: u64) -> u64 {
    terms + terms.div_ceil(stretch)
}

/// Steps of a tree that combines the values of `lanes` invocations, a power of two.
pub(super) fn tree(lanes: usize) -> u64 {
    u64::from(lanes.max(1).ilog2())
}

/// Whether an invocation may make so many iterations.
pub(super) fn fits(iterations: u64) -> bool {
    iterations <= MAX_ITERATIONS
}
