//! Scaling of the loss, for gradients that f16 would lose.

use super::clip::Squares;
use crate::error::Result;
use crate::op::{LowerContext, Operand};
use crate::ops::loops::{shared, tree};
use crate::ops::optimizer::{LANES, require};
use crate::shader::{Kernel, kernels};

/// How an update treats gradients of a loss that was multiplied by a scale. It divides them by the scale. If one of them is
/// not finite, it changes nothing and halves the scale, down to 1; after so many updates without that it doubles the scale.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Scaling {
    /// Updates without an overflow after which the scale grows.
    pub growth_interval: u32,
}

impl Scaling {
    /// Checks the number of updates.
    ///
    /// # Errors
    /// 0 updates, or more than f32 counts.
    pub fn check(self) -> Result<()> {
        let counted = (1..=1 << 24).contains(&self.growth_interval);
        require("growth_interval", self.growth_interval.into(), counted, "from 1 to 2^24")
    }

    /// Records the verdict on the gradients, and the next scale. Returns what updates read.
    pub(super) fn lower(
        self,
        cx: &mut LowerContext<'_>,
        squares: &Squares,
        norm: Option<f64>,
        every: u32,
        [scale, good_steps, step]: [Operand; 3],
    ) -> Result<Operand> {
        let verdict = cx.temporary(4);
        let kernel = Kernel::new(&kernels::loss_scale)
            .with("PARTS", cx.index(squares.count)?)
            .with("EVERY", every)
            .with("CLIP_NORM", norm.unwrap_or(0.0) as f32)
            .with("GROWTH_INTERVAL", self.growth_interval as f32)
            .iterations(shared(squares.count / 4, LANES) + tree(LANES));
        cx.dispatch(kernel, &[squares.parts.clone(), step, scale, good_steps, verdict.clone()], 1);
        Ok(verdict)
    }
}
