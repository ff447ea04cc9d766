//! Adadelta.

use super::{Rule, Slots, require_decay, require_eps, require_weight_decay};
use crate::error::Result;
use crate::shader::{Kernel, ShaderFile, parts};

/// Adadelta, as in `torch.optim.Adadelta`.
#[derive(Clone, PartialEq, Debug)]
pub struct AdadeltaRule {
    /// Decay of the means of squares, of gradients and of changes.
    pub rho: f64,
    /// Added to both means before their roots are taken.
    pub eps: f64,
    /// Factor of the parameter that is added to its gradient.
    pub weight_decay: f64,
}

impl Default for AdadeltaRule {
    /// PyTorch's defaults.
    fn default() -> Self {
        AdadeltaRule { rho: 0.9, eps: 1e-6, weight_decay: 0.0 }
    }
}

impl Rule for AdadeltaRule {
    fn name(&self) -> &'static str {
        "adadelta_update"
    }

    fn slots(&self) -> Slots {
        [Some("square_avg"), Some("acc_delta"), None]
    }

    fn check(&self) -> Result<()> {
        require_decay("rho", self.rho)?;
        require_eps(self.eps)?;
        require_weight_decay(self.weight_decay)
    }

    fn file(&self) -> &'static ShaderFile {
        &parts::adadelta_update
    }

    fn constants(&self, kernel: Kernel) -> Kernel {
        kernel
            .with("RHO", self.rho as f32)
            .with("ONE_LESS_RHO", (1.0 - self.rho) as f32)
            .with("EPS", self.eps as f32)
            .with("WEIGHT_DECAY", self.weight_decay as f32)
    }

    fn fills_padding(&self) -> bool {
        self.eps == 0.0
    }
}
