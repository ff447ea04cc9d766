//! Exponential moving averages of parameters.

use super::{Rule, require_decay};
use crate::error::Result;
use crate::shader::{Kernel, ShaderFile, parts};

/// Averages of parameters. In an update by this rule the averages take the place of parameters, and the parameters
/// that of gradients.
#[derive(Clone, PartialEq, Debug)]
pub struct EmaRule {
    /// Weight of the old average.
    pub decay: f64,
    /// Whether the decay is at most (1 + t) / (10 + t) in update t, counted from 0.
    pub warm_up: bool,
}

impl Rule for EmaRule {
    fn name(&self) -> &'static str {
        "ema_update"
    }

    fn has_rate(&self) -> bool {
        false
    }

    fn check(&self) -> Result<()> {
        require_decay("decay", self.decay)
    }

    fn file(&self) -> &'static ShaderFile {
        &parts::ema_update
    }

    fn constants(&self, kernel: Kernel) -> Kernel {
        kernel.with("ONE_LESS_DECAY", (1.0 - self.decay) as f32).with("WARM_UP", self.warm_up)
    }
}
