//! Adam and AdamW.

use super::{Rule, Slots, logarithm, require_decay, require_eps, require_weight_decay};
use crate::error::Result;
use crate::shader::{Kernel, ShaderFile, parts};

/// Adam, or AdamW if `DECOUPLED`, as in `torch.optim`.
#[derive(Clone, PartialEq, Debug)]
pub struct AdamRule<const DECOUPLED: bool> {
    /// Decays of the gradients' mean and of the mean of their squares.
    pub betas: (f64, f64),
    /// Added to the root of the squares' mean.
    pub eps: f64,
    /// Weight decay. If `DECOUPLED` it applies to the weights directly, otherwise through the gradient.
    pub weight_decay: f64,
    /// Whether to use the largest mean of squares so far.
    pub amsgrad: bool,
}

impl<const DECOUPLED: bool> Default for AdamRule<DECOUPLED> {
    /// PyTorch's defaults.
    fn default() -> Self {
        let weight_decay = if DECOUPLED { 0.01 } else { 0.0 };
        AdamRule { betas: (0.9, 0.999), eps: 1e-8, weight_decay, amsgrad: false }
    }
}

impl<const DECOUPLED: bool> Rule for AdamRule<DECOUPLED> {
    fn name(&self) -> &'static str {
        "adam_update"
    }

    fn slots(&self) -> Slots {
        [Some("exp_avg"), Some("exp_avg_sq"), self.amsgrad.then_some("max_exp_avg_sq")]
    }

    fn check(&self) -> Result<()> {
        require_decay("betas", self.betas.0)?;
        require_decay("betas", self.betas.1)?;
        require_eps(self.eps)?;
        require_weight_decay(self.weight_decay)
    }

    fn file(&self) -> &'static ShaderFile {
        &parts::adam_update
    }

    fn constants(&self, kernel: Kernel) -> Kernel {
        let (beta1, beta2) = self.betas;
        kernel
            .with("BETA2", beta2 as f32)
            .with("ONE_LESS_BETA1", (1.0 - beta1) as f32)
            .with("ONE_LESS_BETA2", (1.0 - beta2) as f32)
            .with("LOG_BETA1", logarithm(beta1))
            .with("LOG_BETA2", logarithm(beta2))
            .with("EPS", self.eps as f32)
            .with("WEIGHT_DECAY", self.weight_decay as f32)
            .with("DECOUPLED", DECOUPLED)
            .with("AMSGRAD", self.amsgrad)
    }

    fn fills_padding(&self) -> bool {
        self.eps == 0.0
    }
}
