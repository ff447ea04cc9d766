//! The order of a sum over micro-batches, and the rounds in which ranks exchange parts of it.

use crate::error::{Error, Result};
use std::ops::Range;

/// The micro-batches of a rank.
///
/// # Errors
/// A number of ranks that is no power of two or does not divide the number of micro-batches; a rank that there is not.
pub fn shares(rank: usize, ranks: usize, micro_batches: usize) -> Result<Range<usize>> {
    check_ranks(rank, ranks)?;
    if micro_batches == 0 || !micro_batches.is_multiple_of(ranks) {
        return Err(Error::Parallel(format!(
            "{micro_batches} micro-batches can't be shared by {ranks} ranks evenly; their number must be a multiple"
        )));
    }
    let each = micro_batches / ranks;
    Ok(rank * each..(rank + 1) * each)
}

fn check_ranks(rank: usize, ranks: usize) -> Result<()> {
    if !ranks.is_power_of_two() {
        let message = format!("{ranks} ranks, expected a power of two, so that each sums a subtree");
        return Err(Error::Parallel(message));
    }
    if rank >= ranks {
        return Err(Error::Parallel(format!("there is no rank {rank} of {ranks}, which are counted from 0")));
    }
    Ok(())
}

/// What a rank does with the sums that it keeps, in order: takes in the next micro-batch as a new sum, or adds the last
/// sum to the one before it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Join {
    /// The next micro-batch becomes the last sum.
    Next,
    /// The last sum is added to the one before, and is gone.
    Add,
}

/// The order in which a rank sums its micro-batches. It keeps a few sums at once.
///
/// ```
/// use wgrad::parallel::{Join, Joins};
///
/// // (0 + 1) + (2 + 3)
/// let order: Vec<Join> = Joins::new(4).collect();
/// assert_eq!(order, [Join::Next, Join::Next, Join::Add, Join::Next, Join::Next, Join::Add, Join::Add]);
/// assert_eq!(Joins::new(4).depth(), 3);
/// ```
#[derive(Clone, Debug)]
pub struct Joins {
    /// Length of what is added up one after the other, and how many of those pairs of pairs have.
    run: usize,
    runs: usize,
    /// Micro-batches taken in, and joins of runs that are due.
    taken: usize,
    due: u32,
    within: bool,
}

impl Joins {
    /// The order for so many micro-batches; none for 0.
    pub fn new(micro_batches: usize) -> Self {
        // Of 0 there is one run without micro-batches.
        let halvings = if micro_batches == 0 { 0 } else { micro_batches.trailing_zeros() };
        Joins { run: micro_batches >> halvings, runs: 1 << halvings, taken: 0, due: 0, within: false }
    }

    /// The sums that are kept at once at the most.
    pub fn depth(&self) -> usize {
        // Within a run there is one sum, and the micro-batch that joins it.
        self.runs.trailing_zeros() as usize + self.run.min(2)
    }
}

impl Iterator for Joins {
    type Item = Join;

    fn next(&mut self) -> Option<Join> {
        if self.within {
            self.within = false;
            return Some(Join::Add);
        }
        if self.due > 0 {
            self.due -= 1;
            return Some(Join::Add);
        }
        if self.taken == self.run * self.runs {
            return None;
        }
        self.within = !self.taken.is_multiple_of(self.run);
        self.taken += 1;
        if self.taken.is_multiple_of(self.run) {
            // As a binary counter carries: a run that ends a pair of pairs ends both.
            self.due = (self.taken / self.run).trailing_zeros();
        }
        Some(Join::Next)
    }
}

/// A round of a sum over ranks: a rank sends a part of its data to a partner, and receives a part.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Round {
    /// The rank that it exchanges with.
    pub partner: usize,
    /// The elements that it sends.
    pub send: Range<usize>,
    /// The elements that it receives.
    pub receive: Range<usize>,
    /// Whether it adds what it received to its own; otherwise that takes their place.
    pub adds: bool,
}

/// The rounds of [`sum`](super::sum) for one rank.
///
/// # Errors
/// A number of ranks that is no power of two; a rank that there is not.
pub fn rounds(rank: usize, ranks: usize, elements: usize) -> Result<Vec<Round>> {
    check_ranks(rank, ranks)?;
    let levels = ranks.trailing_zeros() as usize;
    let mut own = 0..elements;
    let mut rounds = Vec::with_capacity(2 * levels);
    for level in 0..levels {
        let middle = own.start + own.len() / 2;
        let (low, high) = (own.start..middle, middle..own.end);
        let (keep, give) = if rank >> level & 1 == 0 { (low, high) } else { (high, low) };
        rounds.push(Round { partner: rank ^ 1 << level, send: give, receive: keep.clone(), adds: true });
        own = keep;
    }
    for level in (0..levels).rev() {
        let Round { partner, send, receive, .. } = rounds[level].clone();
        rounds.push(Round { partner, send: receive, receive: send, adds: false });
    }
    Ok(rounds)
}
