//! How many iterations loops of common forms make, and how work is cut where one invocation's share of it would
//! make too many of them ([`MAX_ITERATIONS`]).

use crate::op::MAX_ITERATIONS;

/// Terms that an invocation takes where a sum is cut because of its length: few enough for short loops, many
/// enough that the parts take little memory beside what is summed.
pub(super) const CUT_TERMS: usize = 1024;

/// Iterations of a loop over `terms`, by `lanes` together.
pub(super) fn shared(terms: usize, lanes: usize) -> u64 {
    terms.div_ceil(lanes) as u64
}

/// Iterations of a loop over stretches of terms, each a loop within it.
pub(super) fn stretched(terms: u64, stretch: u64) -> u64 {
    terms + terms.div_ceil(stretch)
}

/// Steps of a tree in which `lanes` invocations, a power of two, make one value of theirs.
pub(super) fn tree(lanes: usize) -> u64 {
    u64::from(lanes.max(1).ilog2())
}

/// Whether an invocation may make so many iterations.
pub(super) fn fits(iterations: u64) -> bool {
    iterations <= MAX_ITERATIONS
}
