//! The optimizer: a rule, a learning rate, and the settings that all rules share.

use super::described::Described;
use super::{Ema, LossScale};
use crate::error::Result;
use crate::graph::{Graph, Value};
use crate::ops::optimizer::{Clip, Rule};
use std::fmt;
use std::sync::Arc;

/// An optimizer with any rule. [`Sgd`](super::Sgd), [`Adam`](super::Adam) and the others are aliases of it;
/// each adds the settings of its rule.
///
/// ```
/// # fn main() -> wgrad::Result<()> {
/// use wgrad::graph::Init;
/// use wgrad::optim::AdamW;
/// # let mut g = wgrad::Graph::new();
/// # let x = g.input("x", [4, 3])?;
/// # let labels = g.input_i32("labels", 4)?;
/// # for name in ["stem", "head"] {
/// #     g.parameter(&format!("{name}.weight"), [3, 3], Init::Uniform(1.0))?;
/// # }
/// # g.parameter("head.bias", [3], Init::Constant(0.0))?;
/// # let [stem, head, bias] = ["stem.weight", "head.weight", "head.bias"].map(|n| g.find(n).unwrap());
/// # let features = g.linear(x, stem, None)?;
/// # let logits = g.linear(features, head, Some(bias))?;
/// # let loss = g.cross_entropy(logits, labels)?;
/// let rate = g.input_scalar("learning_rate")?;
/// AdamW::new(rate)
///     .weight_decay(0.05)
///     .clip_norm(1.0)
///     .freeze(|name| name.starts_with("stem."))
///     .group(|name| name.ends_with(".bias"), |group| group.weight_decay(0.0))
///     .minimize(&mut g, loss)?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "an optimizer does nothing until minimize is called"]
pub struct Optimizer<R, S = Whole<R>> {
    pub(super) rule: R,
    rate: Value,
    scope: S,
}

/// What an [`Optimizer`] has beside hyperparameters and a rate, for all of its parameters together.
#[derive(Clone, Debug)]
pub struct Whole<R> {
    clip: Clip,
    steps: u32,
    average: Option<Ema>,
    scale: Option<LossScale>,
    only: Vec<Condition>,
    frozen: Vec<Condition>,
    groups: Vec<(Condition, Optimizer<R, Part>)>,
}

/// Marks the settings of a group of parameters, which has hyperparameters and a rate of its own and nothing else.
#[derive(Clone, Copy, Debug)]
pub struct Part(());

/// A condition on the name of a parameter.
#[derive(Clone)]
pub(super) struct Condition(Arc<dyn Fn(&str) -> bool + Send + Sync>);

impl fmt::Debug for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Condition")
    }
}

impl Condition {
    pub(super) fn new(condition: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        Condition(Arc::new(condition))
    }

    pub(super) fn holds(&self, graph: &Graph, parameter: Value) -> bool {
        (self.0)(&graph.info(parameter).name)
    }
}

impl<R, S> Optimizer<R, S> {
    /// Sets the scalar that holds the learning rate: for a group with a rate of its own.
    pub fn rate(mut self, rate: Value) -> Self {
        self.rate = rate;
        self
    }
}

impl<R: Rule + Clone> Optimizer<R> {
    pub(super) fn of(rule: R, rate: Value) -> Self {
        let scope = Whole {
            clip: Clip::default(),
            steps: 1,
            average: None,
            scale: None,
            only: Vec::new(),
            frozen: Vec::new(),
            groups: Vec::new(),
        };
        Optimizer { rule, rate, scope }
    }

    /// Clamps every element of the gradients to `-limit ..= limit`, as `torch.nn.utils.clip_grad_value_`,
    /// before [`clip_norm`](Self::clip_norm). Off by default.
    pub fn clip_value(mut self, limit: f64) -> Self {
        self.scope.clip.value = Some(limit);
        self
    }

    /// Scales all gradients so that their common norm is at most `limit`, as
    /// `torch.nn.utils.clip_grad_norm_`. The norm spans all groups. Off by default.
    pub fn clip_norm(mut self, limit: f64) -> Self {
        self.scope.clip.norm = Some(limit);
        self
    }

    /// Gives a group of parameters its own settings: those whose name meets `condition` and that are in no
    /// earlier group. `settings` receives the optimizer's settings so far, and may change the rule's
    /// hyperparameters and the [`rate`](Self::rate). All other settings belong to the whole optimizer.
    ///
    /// If one group needs a kind of state, all parameters have it.
    ///
    /// ```compile_fail
    /// # use wgrad::{Value, optim::Sgd};
    /// # fn f(rate: Value) {
    /// // The norm is that of all gradients together.
    /// let optimizer = Sgd::new(rate).group(|name| name.ends_with(".bias"), |group| group.clip_norm(1.0));
    /// # }
    /// ```
    pub fn group(
        mut self,
        condition: impl Fn(&str) -> bool + Send + Sync + 'static,
        settings: impl FnOnce(Optimizer<R, Part>) -> Optimizer<R, Part>,
    ) -> Self {
        let group = settings(Optimizer { rule: self.rule.clone(), rate: self.rate, scope: Part(()) });
        self.scope.groups.push((Condition::new(condition), group));
        self
    }

    /// Trains only the parameters for whose name `condition` holds, such as those of one of several networks, and
    /// leaves the others to other optimizers. If there are several conditions, one has to hold.
    pub fn only(mut self, condition: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        self.scope.only.push(Condition::new(condition));
        self
    }

    /// Leaves out the parameters for whose name `condition` holds: they get neither gradients nor
    /// updates. Batch norm's running statistics still move; to keep them too, freeze the layers
    /// ([`Sequential::freeze`](crate::nn::Sequential::freeze)).
    pub fn freeze(mut self, condition: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        self.scope.frozen.push(Condition::new(condition));
        self
    }

    /// Updates only in every `steps`-th step, by the mean of the gradients since the last update. If the loss
    /// is a mean, `steps` small batches have the effect of one large batch, except for batch norm, which uses
    /// the statistics of each small batch. 1 by default.
    ///
    /// Gradients are added on the device, in state named after the parameter: `conv1.weight.gradient`. The
    /// step that completes a multiple of `steps`, by the session's step number, updates. Bias corrections,
    /// decays and averages count updates, not steps.
    pub fn accumulate(mut self, steps: u32) -> Self {
        self.scope.steps = steps;
        self
    }

    /// Keeps averages of the parameters. Off by default.
    pub fn average(mut self, average: Ema) -> Self {
        self.scope.average = Some(average);
        self
    }

    /// Scales the loss while gradients are computed, for plans of mixed precision. Off by default. It takes
    /// [`minimize`](Self::minimize), because [`apply`](Self::apply) is given gradients.
    pub fn loss_scale(mut self, scale: LossScale) -> Self {
        self.scope.scale = Some(scale);
        self
    }

    /// Appends the gradients of the scalar `loss` and the update of every parameter that it depends on and that this
    /// optimizer trains: PyTorch's `loss.backward()` and `step()`.
    ///
    /// Nodes that are appended later see the new parameters: a layer that is applied again reads them, so a second
    /// optimizer's loss can depend on the first one's update. To compute all gradients before any update, use
    /// [`apply`](Self::apply).
    ///
    /// # Errors
    /// A loss that is not a scalar or depends on no parameter; an operator without a gradient; what
    /// [`apply`](Self::apply) refuses.
    pub fn minimize(&self, graph: &mut Graph, loss: Value) -> Result<()> {
        self.described().minimize(graph, loss)
    }

    /// Appends the update of the given parameters that this optimizer trains, by their gradients: PyTorch's `step()`.
    /// With [`Graph::backward`] several optimizers share one loss:
    ///
    /// ```
    /// # fn main() -> wgrad::Result<()> {
    /// use wgrad::nn::{self, Layer};
    /// use wgrad::optim::{AdamW, Sgd};
    /// use wgrad::{Graph, Mode};
    ///
    /// let net = nn::Sequential::new()
    ///     .add("body", nn::Linear::new(16, 8))
    ///     .add("relu", nn::Relu)
    ///     .add("head", nn::Linear::new(8, 4));
    /// let mut g = Graph::new();
    /// let x = g.input("x", [32, 16])?;
    /// let labels = g.input_i32("labels", 32)?;
    /// let logits = net.forward(&mut g, x, Mode::Train)?;
    /// let loss = g.cross_entropy(logits, labels)?;
    /// let (slow, fast) = (g.input_scalar("slow")?, g.input_scalar("fast")?);
    /// let gradients = g.backward(loss)?;
    /// Sgd::new(slow).only(|name| name.starts_with("body.")).apply(&mut g, &gradients)?;
    /// AdamW::new(fast).only(|name| name.starts_with("head.")).apply(&mut g, &gradients)?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Hyperparameters out of their range; a rate that is no f32 scalar; no parameter, one given twice or updated
    /// before, one whose gradient has another shape; a value of another graph; a condition that no parameter fulfils.
    pub fn apply(&self, graph: &mut Graph, pairs: &[(Value, Value)]) -> Result<()> {
        self.described().apply(graph, pairs)
    }

    fn described(&self) -> Described<'_> {
        let rule = |rule: &R| -> Arc<dyn Rule> { Arc::new(rule.clone()) };
        let others = self.scope.groups.iter();
        Described {
            own: (rule(&self.rule), self.rate),
            groups: others.map(|(condition, group)| (condition, rule(&group.rule), group.rate)).collect(),
            clip: self.scope.clip,
            steps: self.scope.steps,
            average: self.scope.average.as_ref(),
            scale: self.scope.scale,
            only: &self.scope.only,
            frozen: &self.scope.frozen,
        }
    }
}
