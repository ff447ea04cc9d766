//! Moving tensors towards others.

use super::Rule;
use crate::error::Result;
use crate::shader::{Kernel, ShaderFile, parts};

/// Moves tensors towards others by the share that the rate says, as PyTorch's `lerp_`: the tensors take the place of
/// parameters, and what they move towards that of gradients. With a rate of 1 this is a copy.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct LerpRule;

impl Rule for LerpRule {
    fn name(&self) -> &'static str {
        "lerp_update"
    }

    fn check(&self) -> Result<()> {
        Ok(())
    }

    fn file(&self) -> &'static ShaderFile {
        &parts::lerp_update
    }

    fn constants(&self, kernel: Kernel) -> Kernel {
        kernel
    }
}
