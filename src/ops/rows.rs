//! Rows along an axis of a tensor, and how invocations share them: softmax, argmax and the losses of class labels.
//!
//! A row is made by a team of invocations. Of rows too long for that, sums and extremes are reductions of their own
//! (`reduction`).

use super::loops::{fits, shared, tree};
use super::reduction::{Combine, Reduction, Term, reduce_within};
use crate::error::Result;
use crate::op::occupancy::{self, LANES};
use crate::op::{LowerContext, Operand};
use crate::shader::Kernel;
use crate::tensor::Shape;

/// Rows of a tensor whose sizes are (outer, terms, inner) in memory.
#[derive(Clone, Copy)]
pub(super) struct Rows {
    pub outer: usize,
    pub terms: usize,
    pub inner: usize,
}

impl Rows {
    /// The rows along an axis.
    pub(super) fn along(shape: &Shape, axis: usize) -> Rows {
        let [outer, inner] = [&shape[..axis], &shape[axis + 1..]].map(|sizes| sizes.iter().product());
        Rows { outer, terms: shape[axis], inner }
    }

    pub(super) fn count(self) -> usize {
        self.outer * self.inner
    }

    /// Sets the shape of a kernel that addresses rows.
    pub(super) fn shaped(self, cx: &LowerContext<'_>, kernel: Kernel) -> Result<Kernel> {
        Ok(kernel.with("AXIS", cx.index(self.terms)?).with("INNER", cx.index(self.inner)?))
    }

    /// The team for a kernel that goes over a row `passes` times and reduces `trees` values of its invocations;
    /// `None` where rows are too long for one.
    pub(super) fn team(self, passes: u64, trees: u64) -> Option<Team> {
        // Neighbouring rows lie side by side where there is an inner size: then invocations of
        // their own read side by side, as long as there are enough rows to go round.
        let own = Team::of(self.terms, 1, passes, trees);
        if self.inner >= 16 && self.count() >= occupancy::ROWS && fits(own.iterations) {
            return Some(own);
        }
        let team = Team::of(self.terms, lanes(self.terms), passes, trees);
        fits(team.iterations).then_some(team)
    }

    /// Records a reduction of `source`, which has these rows, to one number a row in scratch memory.
    pub(super) fn reduce(
        self,
        cx: &mut LowerContext<'_>,
        source: Operand,
        combine: Combine,
        term: Term,
    ) -> Result<Operand> {
        let [from, to] = [self.terms, 1].map(|terms| Shape::from([self.outer, terms, self.inner]));
        let result = cx.temporary(to.elements());
        let reduction =
            Reduction { combine, term, scale: 1.0, source: Some(source), result: Some(result.clone()) };
        reduce_within(cx, &from, &to, &reduction)?;
        Ok(result)
    }
}

/// The invocations that share a row, and the loop iterations of each.
pub(super) struct Team {
    lanes: usize,
    iterations: u64,
}

impl Team {
    /// So many invocations for a row of so many terms.
    pub(super) fn of(terms: usize, lanes: usize, passes: u64, trees: u64) -> Team {
        Team { lanes, iterations: passes * shared(terms, lanes) + trees * tree(lanes) }
    }

    /// Sets a kernel's size of a team, and finds the workgroups for so many rows.
    pub(super) fn share(&self, kernel: Kernel, rows: usize) -> (Kernel, usize) {
        let kernel = kernel.with("TEAM", self.lanes as u32).iterations(self.iterations);
        (kernel, rows.div_ceil(LANES / self.lanes))
    }
}

/// How many invocations of a workgroup share a row of this many terms: a row of few is not worth the barriers.
pub(super) fn lanes(terms: usize) -> usize {
    if terms <= 32 { 1 } else { LANES }
}
