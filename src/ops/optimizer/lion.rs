//! Lion.

use super::{Rule, Slots, require_decay, require_weight_decay};
use crate::error::Result;
use crate::shader::{Kernel, ShaderFile, parts};

/// Lion (Chen et al., 2023, "Symbolic Discovery of Optimization Algorithms").
#[derive(Clone, PartialEq, Debug)]
pub struct LionRule {
    /// Decay of the mean in the step's direction, and of the mean that is stored.
    pub betas: (f64, f64),
    /// Weight decay, applied to the weights directly.
    pub weight_decay: f64,
}

impl Default for LionRule {
    /// The paper's defaults.
    fn default() -> Self {
        LionRule { betas: (0.9, 0.99), weight_decay: 0.0 }
    }
}

impl Rule for LionRule {
    fn name(&self) -> &'static str {
        "lion_update"
    }

    fn slots(&self) -> Slots {
        [Some("exp_avg"), None, None]
    }

    fn check(&self) -> Result<()> {
        require_decay("betas", self.betas.0)?;
        require_decay("betas", self.betas.1)?;
        require_weight_decay(self.weight_decay)
    }

    fn file(&self) -> &'static ShaderFile {
        &parts::lion_update
    }

    fn constants(&self, kernel: Kernel) -> Kernel {
        kernel
            .with("ONE_LESS_BETA1", (1.0 - self.betas.0) as f32)
            .with("ONE_LESS_BETA2", (1.0 - self.betas.1) as f32)
            .with("WEIGHT_DECAY", self.weight_decay as f32)
    }
}
