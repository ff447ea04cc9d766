//! Adagrad.

use super::{Rule, Slots, finite_f32, require, require_eps, require_weight_decay};
use crate::error::Result;
use crate::shader::{Kernel, ShaderFile, parts};

/// Adagrad, as in `torch.optim.Adagrad`.
#[derive(Clone, PartialEq, Debug)]
pub struct AdagradRule {
    /// The learning rate of update t, counted from 0, is divided by 1 + t times this.
    pub lr_decay: f64,
    /// Factor of the parameter that is added to its gradient.
    pub weight_decay: f64,
    /// Initial value of the sums of squares.
    pub initial_accumulator_value: f64,
    /// Added to the root of the sum of squares.
    pub eps: f64,
}

impl Default for AdagradRule {
    /// PyTorch's defaults.
    fn default() -> Self {
        AdagradRule { lr_decay: 0.0, weight_decay: 0.0, initial_accumulator_value: 0.0, eps: 1e-10 }
    }
}

impl Rule for AdagradRule {
    fn name(&self) -> &'static str {
        "adagrad_update"
    }

    fn slots(&self) -> Slots {
        [Some("sum"), None, None]
    }

    fn first_state(&self) -> f32 {
        self.initial_accumulator_value as f32
    }

    fn check(&self) -> Result<()> {
        let AdagradRule { lr_decay, initial_accumulator_value: initial, .. } = *self;
        require("lr_decay", lr_decay, lr_decay >= 0.0 && finite_f32(lr_decay), "at least 0 and finite")?;
        require_weight_decay(self.weight_decay)?;
        require(
            "initial_accumulator_value",
            initial,
            initial >= 0.0 && finite_f32(initial),
            "at least 0 and finite",
        )?;
        require_eps(self.eps)
    }

    fn file(&self) -> &'static ShaderFile {
        &parts::adagrad_update
    }

    fn constants(&self, kernel: Kernel) -> Kernel {
        kernel
            .with("RATE_DECAY", self.lr_decay as f32)
            .with("EPS", self.eps as f32)
            .with("WEIGHT_DECAY", self.weight_decay as f32)
    }

    fn fills_padding(&self) -> bool {
        self.eps == 0.0
    }
}
