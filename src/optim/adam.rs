//! Adam and AdamW.

use super::{gradients, placed, require, require_clip, require_weight_decay, state};
use crate::error::Result;
use crate::graph::{Graph, Value};
use crate::ops::optimizer::{AdamUpdate, Clip};

/// What Adam and AdamW have in common.
#[derive(Clone, Debug)]
struct Settings {
    rate: Value,
    betas: (f64, f64),
    eps: f64,
    weight_decay: f64,
    decoupled: bool,
    clip: Clip,
}

impl Settings {
    fn minimize(&self, graph: &mut Graph, loss: Value) -> Result<()> {
        self.check()?;
        let pairs = gradients(graph, loss)?;
        self.apply(graph, &pairs)
    }

    fn apply(&self, graph: &mut Graph, pairs: &[(Value, Value)]) -> Result<()> {
        self.check()?;
        let gradients = placed(graph, pairs)?;
        let mut inputs: Vec<Value> = pairs.iter().map(|&(parameter, _)| parameter).collect();
        inputs.extend(gradients);
        inputs.extend(state(graph, pairs, "exp_avg")?);
        inputs.extend(state(graph, pairs, "exp_avg_sq")?);
        inputs.extend([self.rate, graph.step_counter()]);
        let update = AdamUpdate {
            parameters: pairs.len(),
            beta1: self.betas.0,
            beta2: self.betas.1,
            eps: self.eps,
            weight_decay: self.weight_decay,
            decoupled: self.decoupled,
            clip: self.clip,
        };
        graph.unscoped(|graph| graph.apply(update, &inputs))?;
        Ok(())
    }

    fn check(&self) -> Result<()> {
        for beta in [self.betas.0, self.betas.1] {
            require("betas", beta, (0.0..1.0).contains(&beta), "at least 0 and below 1")?;
        }
        // Kernels divide by at least this much, as f32.
        require(
            "eps",
            self.eps,
            self.eps >= f64::from(f32::MIN_POSITIVE) && self.eps.is_finite(),
            "above 0",
        )?;
        require_clip(self.clip)?;
        require_weight_decay(self.weight_decay)
    }
}

/// Declares an optimizer that is [`Settings`] with other defaults.
macro_rules! adam {
    ($(#[$doc:meta])* $name:ident, weight_decay: $weight_decay:literal, decoupled: $decoupled:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug)]
        #[must_use = "an optimizer does nothing until minimize is called"]
        pub struct $name(Settings);

        impl $name {
            /// PyTorch's defaults, with the learning rate that the scalar `rate` holds.
            pub fn new(rate: Value) -> Self {
                $name(Settings {
                    rate,
                    betas: (0.9, 0.999),
                    eps: 1e-8,
                    weight_decay: $weight_decay,
                    decoupled: $decoupled,
                    clip: Clip::default(),
                })
            }

            /// Sets the decay of the gradients' mean and of their squares' mean, 0.9 and 0.999 by
            /// default.
            pub fn betas(mut self, beta1: f64, beta2: f64) -> Self {
                self.0.betas = (beta1, beta2);
                self
            }

            /// Sets what is added to the divisor, 1e-8 by default.
            pub fn eps(mut self, eps: f64) -> Self {
                self.0.eps = eps;
                self
            }

            #[doc = concat!("Sets the weight decay, ", stringify!($weight_decay), " by default.")]
            pub fn weight_decay(mut self, weight_decay: f64) -> Self {
                self.0.weight_decay = weight_decay;
                self
            }

            /// Brings every element of the gradients between `-limit` and `limit`, as
            /// `torch.nn.utils.clip_grad_value_`; before [`clip_norm`](Self::clip_norm). Off by default.
            pub fn clip_value(mut self, limit: f64) -> Self {
                self.0.clip.value = Some(limit);
                self
            }

            /// Scales the gradients of all parameters so that the norm of all of them together is at most
            /// `limit`, as `torch.nn.utils.clip_grad_norm_`. Off by default.
            pub fn clip_norm(mut self, limit: f64) -> Self {
                self.0.clip.norm = Some(limit);
                self
            }

            /// Appends the gradients of the scalar `loss` and the update of every parameter it
            /// depends on.
            ///
            /// # Errors
            /// A loss that is no scalar or depends on no parameter; an operator without a
            /// gradient; what `apply` refuses.
            pub fn minimize(&self, graph: &mut Graph, loss: Value) -> Result<()> {
                self.0.minimize(graph, loss)
            }

            /// Appends the update of these parameters by these gradients.
            ///
            /// # Errors
            /// Hyperparameters out of their range; a rate that is no f32 scalar; no parameter, one
            /// given twice or updated before, one whose gradient has another shape;
            /// a value of another graph.
            pub fn apply(&self, graph: &mut Graph, pairs: &[(Value, Value)]) -> Result<()> {
                self.0.apply(graph, pairs)
            }
        }
    };
}

adam!(
    /// Adam, as `torch.optim.Adam`: steps along the gradients' running mean, over the root of
    /// their squares' running mean, both corrected for their start at zero. Weight decay adds
    /// `weight_decay p` to the gradient.
    ///
    /// Both means are state of the graph, named after their parameter: `conv1.weight.exp_avg` and
    /// `.exp_avg_sq`. The correction goes by the session's step number: whoever goes on with fresh
    /// means starts it from 0.
    Adam, weight_decay: 0.0, decoupled: false
);

adam!(
    /// AdamW, as `torch.optim.AdamW`: [`Adam`] whose weights decay by themselves, `p -= rate
    /// weight_decay p`, and not through the gradient.
    AdamW, weight_decay: 0.01, decoupled: true
);
