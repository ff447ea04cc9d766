//! RMSprop.

use super::{Rule, Slots, finite_f32, require, require_decay, require_eps, require_weight_decay};
use crate::error::Result;
use crate::shader::{Kernel, ShaderFile, parts};

/// RMSprop, as in `torch.optim.RMSprop`.
#[derive(Clone, PartialEq, Debug)]
pub struct RmspropRule {
    /// Decay of the mean of squares.
    pub alpha: f64,
    /// Added to the root of the squares' mean.
    pub eps: f64,
    /// Factor of the parameter that is added to its gradient.
    pub weight_decay: f64,
    /// Factor of the momentum buffer; 0 for none.
    pub momentum: f64,
    /// Whether to subtract the square of the gradients' mean from the squares' mean.
    pub centered: bool,
}

impl Default for RmspropRule {
    /// PyTorch's defaults.
    fn default() -> Self {
        RmspropRule { alpha: 0.99, eps: 1e-8, weight_decay: 0.0, momentum: 0.0, centered: false }
    }
}

impl Rule for RmspropRule {
    fn name(&self) -> &'static str {
        "rmsprop_update"
    }

    fn slots(&self) -> Slots {
        let momentum = (self.momentum != 0.0).then_some("momentum_buffer");
        [Some("square_avg"), self.centered.then_some("grad_avg"), momentum]
    }

    fn check(&self) -> Result<()> {
        require_decay("alpha", self.alpha)?;
        require_eps(self.eps)?;
        require_weight_decay(self.weight_decay)?;
        let momentum = self.momentum;
        require("momentum", momentum, momentum >= 0.0 && finite_f32(momentum), "at least 0 and finite")
    }

    fn file(&self) -> &'static ShaderFile {
        &parts::rmsprop_update
    }

    fn constants(&self, kernel: Kernel) -> Kernel {
        kernel
            .with("ALPHA", self.alpha as f32)
            .with("ONE_LESS_ALPHA", (1.0 - self.alpha) as f32)
            .with("EPS", self.eps as f32)
            .with("WEIGHT_DECAY", self.weight_decay as f32)
            .with("MOMENTUM", self.momentum as f32)
            .with("CENTERED", self.centered)
    }

    fn fills_padding(&self) -> bool {
        self.eps == 0.0
    }
}
