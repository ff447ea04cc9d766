//! The optimizers by name, each with the settings of its rule.

use super::Optimizer;
use crate::graph::Value;
use crate::ops::optimizer::{
    AdadeltaRule, AdagradRule, AdamRule, LionRule, NadamRule, RmspropRule, Rule, SgdRule,
};

impl<R: Rule + Clone + Default> Optimizer<R> {
    /// PyTorch's defaults, Lion's those of its paper, with the learning rate in the scalar `rate`.
    pub fn new(rate: Value) -> Self {
        Optimizer::of(R::default(), rate)
    }
}

/// Stochastic gradient descent, as `torch.optim.SGD`: `p -= rate g`. With momentum, `b = momentum b + (1 -
/// dampening) g` and `p -= rate b`; with Nesterov's, `p -= rate (g + momentum b)`. Weight decay adds
/// `weight_decay p` to the gradient.
///
/// Momentum buffers are state of the graph, named after their parameter: `conv1.weight.momentum_buffer`. In
/// step 0 the buffer becomes the gradient, without dampening.
///
/// ```
/// # fn main() -> wgrad::Result<()> {
/// # use wgrad::{Graph, Result, Value, optim};
/// # fn optimize(g: &mut Graph, loss: Value) -> Result<()> {
/// let rate = g.input_scalar("learning_rate")?;
/// optim::Sgd::new(rate).momentum(0.9).nesterov(true).weight_decay(1e-4).minimize(g, loss)?;
/// # Ok(())
/// # }
/// # Ok(())
/// # }
/// ```
pub type Sgd = Optimizer<SgdRule>;

impl<S> Optimizer<SgdRule, S> {
    setters! {
        in rule;
        /// Sets the momentum; 0 by default, which is none.
        momentum: f64;
        /// Sets the dampening of the momentum, 0 by default.
        dampening: f64;
        /// Sets the weight decay, 0 by default.
        weight_decay: f64;
        /// Sets whether momentum is Nesterov's. Off by default.
        nesterov: bool;
    }
}

/// Adam, as `torch.optim.Adam`: steps along the gradients' running mean, divided by the root of their
/// squares' running mean, both corrected for their start at zero. Weight decay adds `weight_decay p` to the
/// gradient.
///
/// Both means are state of the graph, named after their parameter: `conv1.weight.exp_avg` and `.exp_avg_sq`.
/// The correction depends on the session's step number: if you reset the means, reset the step number too.
///
/// ```
/// # fn main() -> wgrad::Result<()> {
/// # use wgrad::{Graph, Result, Value, optim};
/// # fn optimize(g: &mut Graph, loss: Value) -> Result<()> {
/// let rate = g.input_scalar("learning_rate")?;
/// optim::Adam::new(rate).betas(0.9, 0.99).minimize(g, loss)?;
/// # Ok(())
/// # }
/// # Ok(())
/// # }
/// ```
pub type Adam = Optimizer<AdamRule<false>>;

/// AdamW, as `torch.optim.AdamW`: [`Adam`] with decoupled weight decay, `p -= rate weight_decay p`, which
/// does not pass through the gradient.
///
/// ```
/// # fn main() -> wgrad::Result<()> {
/// # use wgrad::{Graph, Result, Value, optim};
/// # fn optimize(g: &mut Graph, loss: Value) -> Result<()> {
/// let rate = g.input_scalar("learning_rate")?;
/// optim::AdamW::new(rate).weight_decay(0.05).clip_norm(1.0).minimize(g, loss)?;
/// # Ok(())
/// # }
/// # Ok(())
/// # }
/// ```
pub type AdamW = Optimizer<AdamRule<true>>;

impl<const DECOUPLED: bool, S> Optimizer<AdamRule<DECOUPLED>, S> {
    /// Sets the decay of the gradients' mean and of their squares' mean, 0.9 and 0.999 by
    /// default.
    pub fn betas(mut self, beta1: f64, beta2: f64) -> Self {
        self.rule.betas = (beta1, beta2);
        self
    }

    setters! {
        in rule;
        /// Sets epsilon, which is added to the divisor. 1e-8 by default.
        eps: f64;
        /// Sets the weight decay, 0 for Adam and 0.01 for AdamW by default.
        weight_decay: f64;
        /// Sets whether to divide by the root of the largest mean of squares so far, kept as
        /// `.max_exp_avg_sq` (Reddi et al., 2018, "On the Convergence of Adam and Beyond"). Off by default.
        amsgrad: bool;
    }
}

/// NAdam, as `torch.optim.NAdam`: [`Adam`] with Nesterov's momentum (Dozat, 2016, "Incorporating Nesterov
/// Momentum into Adam"). In step t the momentum is `beta1 (1 - 0.96^(t momentum_decay) / 2)`.
///
/// Its state is Adam's. The product of all momenta so far is computed from the session's step number.
pub type Nadam = Optimizer<NadamRule>;

impl<S> Optimizer<NadamRule, S> {
    /// Sets the decay of the gradients' mean and of their squares' mean, 0.9 and 0.999 by
    /// default.
    pub fn betas(mut self, beta1: f64, beta2: f64) -> Self {
        self.rule.betas = (beta1, beta2);
        self
    }

    setters! {
        in rule;
        /// Sets epsilon, which is added to the divisor. 1e-8 by default.
        eps: f64;
        /// Sets the weight decay, 0 by default.
        weight_decay: f64;
        /// Sets how fast the momentum reaches its full strength, 4e-3 by default.
        momentum_decay: f64;
        /// Sets whether weight decay is decoupled as in AdamW: PyTorch's `decoupled_weight_decay`. Off by
        /// default.
        decoupled: bool;
    }
}

/// RMSprop, as `torch.optim.RMSprop`: divides gradients by the root of their squares' running mean `s = alpha
/// s + (1 - alpha) g^2`, with momentum as `b = momentum b + g / (sqrt(s) + eps)` and `p -= rate b`.
///
/// State: `.square_avg`; if centered, `.grad_avg`; with momentum, `.momentum_buffer`. A centered mean of
/// squares that rounding takes below zero counts as zero, where PyTorch has NaN.
pub type Rmsprop = Optimizer<RmspropRule>;

impl<S> Optimizer<RmspropRule, S> {
    setters! {
        in rule;
        /// Sets the decay of the squares' mean, 0.99 by default.
        alpha: f64;
        /// Sets epsilon, which is added to the divisor. 1e-8 by default.
        eps: f64;
        /// Sets the weight decay, 0 by default.
        weight_decay: f64;
        /// Sets the momentum; 0 by default, which is none.
        momentum: f64;
        /// Sets whether the square of the gradients' mean is subtracted from the squares' mean. Off by
        /// default.
        centered: bool;
    }
}

/// Adagrad, as `torch.optim.Adagrad`: divides gradients by the root of the sum of all their squares so far,
/// which is the state `.sum`.
pub type Adagrad = Optimizer<AdagradRule>;

impl<S> Optimizer<AdagradRule, S> {
    setters! {
        in rule;
        /// Sets the decay of the learning rate, 0 by default. The rate of update t, counted from 0, is
        /// divided by `1 + t lr_decay`.
        lr_decay: f64;
        /// Sets the weight decay, 0 by default.
        weight_decay: f64;
        /// Sets the initial sums of squares, 0 by default.
        initial_accumulator_value: f64;
        /// Sets epsilon, which is added to the divisor. 1e-10 by default.
        eps: f64;
    }
}

/// Adadelta, as `torch.optim.Adadelta`: divides gradients by the root of their squares' running mean and
/// multiplies them by the root of the running mean of the updates' squares. A learning rate of 1 is usual.
///
/// State: `.square_avg` and `.acc_delta`.
pub type Adadelta = Optimizer<AdadeltaRule>;

impl<S> Optimizer<AdadeltaRule, S> {
    setters! {
        in rule;
        /// Sets the decay of both means, 0.9 by default.
        rho: f64;
        /// Sets epsilon, which is added to both means before taking roots. 1e-6 by default.
        eps: f64;
        /// Sets the weight decay, 0 by default.
        weight_decay: f64;
    }
}

/// Lion (Chen et al., 2023, "Symbolic Discovery of Optimization Algorithms"): steps of equal size along the
/// sign of the gradients' mean, which is the state `.exp_avg`. Weight decay is decoupled: `p -= rate
/// weight_decay p`. A tenth of Adam's learning rate is usual.
pub type Lion = Optimizer<LionRule>;

impl<S> Optimizer<LionRule, S> {
    /// Sets the decay of the mean for the step's direction, and of the mean that is kept; 0.9 and 0.99 by
    /// default.
    pub fn betas(mut self, beta1: f64, beta2: f64) -> Self {
        self.rule.betas = (beta1, beta2);
        self
    }

    setters! {
        in rule;
        /// Sets the weight decay, 0 by default.
        weight_decay: f64;
    }
}
