//! Means of the gradients of several steps.

use super::Rule;
use crate::error::{Error, Result};
use crate::shader::{Kernel, ShaderFile, parts};

/// Accumulates gradients. In an update by this rule the sums take the place of parameters.
#[derive(Clone, PartialEq, Debug)]
pub struct AccumulateRule {
    /// Number of steps whose gradients make one mean.
    pub steps: u32,
}

impl Rule for AccumulateRule {
    fn name(&self) -> &'static str {
        "accumulate_update"
    }

    fn has_rate(&self) -> bool {
        false
    }

    fn check(&self) -> Result<()> {
        if self.steps > 0 {
            return Ok(());
        }
        Err(Error::Setting { setting: "accumulate", message: "must be at least 1 step, found 0".into() })
    }

    fn file(&self) -> &'static ShaderFile {
        &parts::accumulate_update
    }

    fn constants(&self, kernel: Kernel) -> Kernel {
        kernel.with("STEPS", self.steps).with("SHARE", (1.0 / f64::from(self.steps)) as f32)
    }
}
