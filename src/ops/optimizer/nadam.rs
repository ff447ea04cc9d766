//! NAdam.

use super::{
    LANES, Rule, Slots, finite_f32, logarithm, require, require_decay, require_eps, require_weight_decay,
};
use crate::error::Result;
use crate::op::{LowerContext, Operand};
use crate::ops::loops::{shared, tree};
use crate::shader::{Kernel, ShaderFile, kernels, parts};

/// NAdam, as in `torch.optim.NAdam`.
#[derive(Clone, PartialEq, Debug)]
pub struct NadamRule {
    /// Decays of the gradients' mean and of the mean of their squares.
    pub betas: (f64, f64),
    /// Added to the root of the squares' mean.
    pub eps: f64,
    /// Weight decay.
    pub weight_decay: f64,
    /// How fast the momentum reaches its full value: in step t it is betas.0 (1 - 0.96^(t momentum_decay) / 2).
    pub momentum_decay: f64,
    /// Whether weight decay applies to the weights directly and not through the gradient.
    pub decoupled: bool,
}

impl Default for NadamRule {
    /// PyTorch's defaults.
    fn default() -> Self {
        NadamRule {
            betas: (0.9, 0.999),
            eps: 1e-8,
            weight_decay: 0.0,
            momentum_decay: 4e-3,
            decoupled: false,
        }
    }
}

impl NadamRule {
    /// Number of factors 1 - 0.96^(i momentum_decay) / 2 after which, in f32, their product is zero or further
    /// factors are one.
    fn terms(&self) -> u32 {
        let (mut terms, mut sum) = (0u32, 0.0);
        // This ends after about a thousand at most: the slower the factors approach one, the sooner their product is
        // zero.
        while sum > -30.0 {
            let held_back = 0.5 * 0.96f64.powf(f64::from(terms + 1) * self.momentum_decay);
            if held_back < 1e-9 {
                break;
            }
            sum += (1.0 - held_back).ln();
            terms += 1;
        }
        terms
    }
}

impl Rule for NadamRule {
    fn name(&self) -> &'static str {
        "nadam_update"
    }

    fn slots(&self) -> Slots {
        [Some("exp_avg"), Some("exp_avg_sq"), None]
    }

    fn check(&self) -> Result<()> {
        require_decay("betas", self.betas.0)?;
        require_decay("betas", self.betas.1)?;
        require_eps(self.eps)?;
        require_weight_decay(self.weight_decay)?;
        let decay = self.momentum_decay;
        require("momentum_decay", decay, decay >= 0.0 && finite_f32(decay), "at least 0 and finite")
    }

    fn file(&self) -> &'static ShaderFile {
        &parts::nadam_update
    }

    fn constants(&self, kernel: Kernel) -> Kernel {
        let (beta1, beta2) = self.betas;
        kernel
            .with("BETA2", beta2 as f32)
            .with("ONE_LESS_BETA1", (1.0 - beta1) as f32)
            .with("ONE_LESS_BETA2", (1.0 - beta2) as f32)
            .with("LOG_BETA2", logarithm(beta2))
            .with("EPS", self.eps as f32)
            .with("WEIGHT_DECAY", self.weight_decay as f32)
            .with("DECOUPLED", self.decoupled)
    }

    fn prepare(&self, cx: &mut LowerContext<'_>, step: &Operand, every: u32) -> Result<Option<Operand>> {
        let beta1 = self.betas.0;
        let momenta = cx.temporary(2);
        let kernel = Kernel::new(&kernels::nadam_momenta)
            .with("EVERY", every)
            .with("TERMS", self.terms())
            .with("BETA1", beta1 as f32)
            .with("ONE_LESS_BETA1", (1.0 - beta1) as f32)
            .with("LOG_BETA1", logarithm(beta1))
            // More than a hundred makes no difference, because the power is zero then.
            .with("DECAY", (self.momentum_decay * 0.96f64.ln()).max(-100.0) as f32);
        let iterations =
            shared(self.terms() as usize, LANES) + tree(LANES) + 2 * parts::one_less_exp.iterations();
        cx.dispatch(kernel.iterations(iterations), &[step.clone(), momenta.clone()], 1);
        Ok(Some(momenta))
    }

    fn fills_padding(&self) -> bool {
        self.eps == 0.0
    }
}
