//! Stochastic gradient descent.

use super::{gradients, placed, require, require_clip, require_weight_decay, state};
use crate::error::{Error, Result};
use crate::graph::{Graph, Value};
use crate::ops::optimizer::{Clip, SgdUpdate};

/// Stochastic gradient descent, as `torch.optim.SGD`: with momentum `b = momentum b + (1 -
/// dampening) g` and `p -= rate b`, with Nesterov's `p -= rate (g + momentum b)`. Weight decay
/// adds `weight_decay p` to the gradient.
///
/// Momentum buffers are state of the graph, named after their parameter: `conv1.weight.momentum`.
/// Dampening leaves out step 0, in which the buffer becomes the gradient.
#[derive(Clone, Debug)]
#[must_use = "an optimizer does nothing until minimize is called"]
pub struct Sgd {
    rate: Value,
    momentum: f64,
    dampening: f64,
    weight_decay: f64,
    nesterov: bool,
    clip: Clip,
}

impl Sgd {
    /// Plain descent with the learning rate that the scalar `rate` holds.
    pub fn new(rate: Value) -> Self {
        Sgd { rate, momentum: 0.0, dampening: 0.0, weight_decay: 0.0, nesterov: false, clip: Clip::default() }
    }

    /// Sets the momentum, 0 by default: none.
    pub fn momentum(mut self, momentum: f64) -> Self {
        self.momentum = momentum;
        self
    }

    /// Sets the dampening of the momentum, 0 by default.
    pub fn dampening(mut self, dampening: f64) -> Self {
        self.dampening = dampening;
        self
    }

    /// Sets the weight decay, 0 by default.
    pub fn weight_decay(mut self, weight_decay: f64) -> Self {
        self.weight_decay = weight_decay;
        self
    }

    /// Sets whether momentum is Nesterov's.
    pub fn nesterov(mut self, nesterov: bool) -> Self {
        self.nesterov = nesterov;
        self
    }

    /// Brings every element of the gradients between `-limit` and `limit`, as
    /// `torch.nn.utils.clip_grad_value_`; before [`clip_norm`](Self::clip_norm). Off by default.
    pub fn clip_value(mut self, limit: f64) -> Self {
        self.clip.value = Some(limit);
        self
    }

    /// Scales the gradients of all parameters so that the norm of all of them together is at most
    /// `limit`, as `torch.nn.utils.clip_grad_norm_`. Off by default.
    pub fn clip_norm(mut self, limit: f64) -> Self {
        self.clip.norm = Some(limit);
        self
    }

    /// Appends the gradients of the scalar `loss` and the update of every parameter it depends on.
    ///
    /// # Errors
    /// A loss that is no scalar or depends on no parameter; an operator without a gradient; what
    /// [`Sgd::apply`] refuses.
    pub fn minimize(&self, graph: &mut Graph, loss: Value) -> Result<()> {
        self.check()?;
        let pairs = gradients(graph, loss)?;
        self.apply(graph, &pairs)
    }

    /// Appends the update of these parameters by these gradients.
    ///
    /// # Errors
    /// Hyperparameters out of their range; a rate that is no f32 scalar; no parameter, one given
    /// twice or updated before, one whose gradient has another shape;
    /// a value of another graph.
    pub fn apply(&self, graph: &mut Graph, pairs: &[(Value, Value)]) -> Result<()> {
        self.check()?;
        let gradients = placed(graph, pairs)?;
        let mut inputs: Vec<Value> = pairs.iter().map(|&(parameter, _)| parameter).collect();
        inputs.extend(gradients);
        if self.momentum != 0.0 {
            inputs.extend(state(graph, pairs, "momentum")?);
        }
        inputs.push(self.rate);
        if self.momentum != 0.0 {
            inputs.push(graph.step_counter());
        }
        let update = SgdUpdate {
            parameters: pairs.len(),
            momentum: self.momentum,
            dampening: self.dampening,
            weight_decay: self.weight_decay,
            nesterov: self.nesterov,
            clip: self.clip,
        };
        graph.unscoped(|graph| graph.apply(update, &inputs))?;
        Ok(())
    }

    fn check(&self) -> Result<()> {
        let (momentum, dampening) = (self.momentum, self.dampening);
        require("momentum", momentum, momentum >= 0.0 && momentum.is_finite(), "at least 0")?;
        require("dampening", dampening, dampening.is_finite(), "finite")?;
        require_weight_decay(self.weight_decay)?;
        require_clip(self.clip)?;
        if self.nesterov && (momentum == 0.0 || dampening != 0.0) {
            return Err(Error::Setting {
                setting: "nesterov",
                message: format!(
                    "needs momentum above 0 and dampening 0, found momentum {momentum} and dampening {dampening}"
                ),
            });
        }
        Ok(())
    }
}
