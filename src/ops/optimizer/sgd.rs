//! Stochastic gradient descent.

use super::{Rule, Slots, finite_f32, require, require_weight_decay};
use crate::error::{Error, Result};
use crate::shader::{Kernel, ShaderFile, parts};

/// Stochastic gradient descent, as in `torch.optim.SGD`.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct SgdRule {
    /// Factor of the momentum buffer; 0 for none.
    pub momentum: f64,
    /// Part of the gradient that does not enter the momentum buffer, except in step 0.
    pub dampening: f64,
    /// Factor of the parameter that is added to its gradient.
    pub weight_decay: f64,
    /// Whether the step looks ahead along the momentum.
    pub nesterov: bool,
}

impl SgdRule {
    /// Part of the gradient that enters the momentum buffer after step 0. Without momentum it is all of it.
    fn share(&self) -> f64 {
        if self.momentum == 0.0 { 1.0 } else { 1.0 - self.dampening }
    }
}

impl Rule for SgdRule {
    fn name(&self) -> &'static str {
        "sgd_update"
    }

    fn slots(&self) -> Slots {
        [(self.momentum != 0.0).then_some("momentum_buffer"), None, None]
    }

    fn check(&self) -> Result<()> {
        let SgdRule { momentum, dampening, .. } = *self;
        require("momentum", momentum, momentum >= 0.0 && finite_f32(momentum), "at least 0 and finite")?;
        require("dampening", dampening, finite_f32(dampening), "finite")?;
        require_weight_decay(self.weight_decay)?;
        if self.nesterov && (momentum == 0.0 || dampening != 0.0) {
            return Err(Error::Setting {
                setting: "nesterov",
                message: format!(
                    "needs momentum above 0 and dampening 0, found momentum {momentum} and dampening {dampening}"
                ),
            });
        }
        Ok(())
    }

    fn file(&self) -> &'static ShaderFile {
        &parts::sgd_update
    }

    fn constants(&self, kernel: Kernel) -> Kernel {
        kernel
            .with("MOMENTUM", self.momentum as f32)
            .with("SHARE", self.share() as f32)
            .with("WEIGHT_DECAY", self.weight_decay as f32)
            .with("NESTEROV", self.nesterov)
    }
}
