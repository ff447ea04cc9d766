//! Clipping of gradients within an update: by value, and by their common norm.

use super::{ITEMS, ITEMS_WITH_NORM, LANES, require, shifted};
use crate::error::Result;
use crate::op::occupancy;
use crate::op::{LowerContext, Operand};
use crate::ops::loops::{CUT_TERMS, fits, shared, stretched, tree};
use crate::ops::reduction::{Combine, Reduction, Term, reduce_within};
use crate::shader::{Kernel, kernels, parts};
use std::ops::Range;

/// Vectors that an invocation adds before it joins them to the others.
const STRETCH: u64 = 32;

/// The most parts of the sum of squares. Every invocation of an update adds all of them.
const MOST_PARTS: usize = 4096;

/// Limits for the gradients of an update: first by value, then by norm.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Clip {
    /// Clamps each element between minus this and this, like `torch.nn.utils.clip_grad_value_`.
    pub value: Option<f64>,
    /// Scales all gradients of the update by min(1, this / (norm + 1e-6)), where norm is the root of the sum of all
    /// their squares, like `torch.nn.utils.clip_grad_norm_`.
    pub norm: Option<f64>,
}

/// The first pass of clipping by norm: parts of the sum of squares, over all pages.
pub(super) struct Squares {
    pub parts: Operand,
    pub count: usize,
}

impl Clip {
    /// Checks that the limits can be norms or magnitudes.
    ///
    /// # Errors
    /// A limit that is not above 0 and finite.
    pub fn check(&self) -> Result<()> {
        // Kernels use f32, in which a smaller limit would be zero.
        let passes = |limit: f64| limit >= f64::from(f32::MIN_POSITIVE) && limit <= f64::from(f32::MAX);
        for (setting, limit) in [("clip_value", self.value), ("clip_norm", self.norm)] {
            if let Some(limit) = limit {
                require(setting, limit, passes(limit), "above 0 and finite")?;
            }
        }
        Ok(())
    }

    /// Vectors of four that an invocation of the update makes, if the norm is not judged before.
    pub(super) fn items(&self) -> usize {
        if self.norm.is_some() { ITEMS_WITH_NORM } else { ITEMS }
    }

    /// Clips by value in a kernel that has a hole for it.
    pub(super) fn fill_value(&self, kernel: Kernel) -> Kernel {
        match self.value {
            Some(value) => kernel.fill(&parts::clip_value).with("CLIP_VALUE", value as f32),
            None => kernel,
        }
    }

    /// Records the sums of squares of the gradients, which start at input `gradients`, in every
    /// `every`-th step. `scale` holds what the loss was multiplied by, if anything.
    pub(super) fn lower_squares(
        &self,
        cx: &mut LowerContext<'_>,
        gradients: usize,
        step: &Operand,
        every: u32,
        scale: Option<&Operand>,
    ) -> Result<Option<Squares>> {
        if self.norm.is_none() && scale.is_none() {
            return Ok(None);
        }
        let most = occupancy::norm_parts(cx.caps().kind);
        let pages: Vec<(Range<usize>, usize)> = cx
            .pages()
            .into_iter()
            .map(|page| {
                let run = shifted(&page, gradients);
                let vectors = cx.run_elements(run.clone()) / 4;
                // The update loads parts in fours.
                let mut parts = vectors.div_ceil(LANES * ITEMS).min(most).next_multiple_of(4);
                if !fits(iterations(vectors.div_ceil(parts))) {
                    parts = vectors.div_ceil(LANES * CUT_TERMS).next_multiple_of(4);
                }
                (run, parts)
            })
            .collect();
        let count = pages.iter().map(|page| page.1).sum();
        let squares = cx.temporary(count);
        let mut first = 0;
        for (run, parts_of_page) in pages {
            let vectors = cx.run_elements(run.clone()) / 4;
            let kernel = Kernel::new(&kernels::gradient_squares)
                .with("VECTORS", cx.index(vectors)?)
                .with("FIRST_PART", cx.index(first)?)
                .with("PARTS", cx.index(parts_of_page)?)
                .with("PART_VECTORS", cx.index(vectors.div_ceil(parts_of_page))?)
                .with("EVERY", every)
                .iterations(iterations(vectors.div_ceil(parts_of_page)));
            let mut operands = vec![cx.run(run), squares.clone(), step.clone()];
            operands.extend(scale.cloned());
            let kernel = kernel.fill_all(scale.map(|_| &parts::loss_scale_of_squares));
            cx.dispatch(self.fill_value(kernel), &operands, parts_of_page);
            first += parts_of_page;
        }
        if count <= MOST_PARTS {
            return Ok(Some(Squares { parts: squares, count }));
        }
        let four = cx.temporary(4);
        let reduction = Reduction {
            combine: Combine::Sum,
            term: Term::Plain,
            scale: 1.0,
            source: Some(squares),
            result: Some(four.clone()),
        };
        reduce_within(cx, &[count / 4, 4].into(), &[1, 4].into(), &reduction)?;
        Ok(Some(Squares { parts: four, count: 4 }))
    }

    /// The update's kernel with what clips its gradients, and the operand that takes, if any.
    pub(super) fn update(
        &self,
        cx: &LowerContext<'_>,
        squares: Option<&Squares>,
        kernel: Kernel,
    ) -> Result<(Kernel, Option<Operand>)> {
        let kernel = self.fill_value(kernel);
        let (Some(norm), Some(squares)) = (self.norm, squares) else {
            return Ok((kernel, None));
        };
        let kernel = kernel
            .fill(&parts::clip_norm)
            .with("CLIP_NORM", norm as f32)
            .with("PARTS", cx.index(squares.count)?)
            .iterations(squares.count as u64 / 4);
        Ok((kernel, Some(squares.parts.clone())))
    }
}

/// Loop iterations of an invocation that sums its share of a part's vectors.
fn iterations(vectors: usize) -> u64 {
    stretched(shared(vectors, LANES), STRETCH) + tree(LANES)
}
