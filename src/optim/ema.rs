//! Exponential moving averages of parameters.

use super::gradients::state;
use crate::error::Result;
use crate::graph::{Graph, Init, Value};
use crate::ops::optimizer::{EmaRule, Rule, Update};
use crate::weights::AVERAGE;

/// Exponential moving averages of the trained parameters, as `torch.optim.swa_utils.AveragedModel` with
/// `get_ema_multi_avg_fn(decay)`. After each update `average = decay average + (1 - decay) parameter`; the
/// first update copies the parameters.
///
/// [`Weights::averaged`](crate::Weights::averaged) returns them under their parameters' names, to evaluate
/// with or to save.
///
/// ```
/// # fn main() -> wgrad::Result<()> {
/// # use wgrad::{Graph, Result, Value, optim};
/// # fn optimize(g: &mut Graph, loss: Value) -> Result<()> {
/// let rate = g.input_scalar("learning_rate")?;
/// optim::Adam::new(rate).average(optim::Ema::new(0.999).warm_up(true)).minimize(g, loss)?;
/// # Ok(())
/// # }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, PartialEq, Debug)]
pub struct Ema(EmaRule);

impl Ema {
    /// Averages with this decay, at least 0 and below 1; 0.999 is usual.
    pub fn new(decay: f64) -> Self {
        Ema(EmaRule { decay, warm_up: false })
    }

    /// Sets whether the decay of update t, counted from 0, is at most (1 + t) / (10 + t), so that early
    /// parameters fade quickly, as in TensorFlow's `ExponentialMovingAverage` with `num_updates`. Off by
    /// default.
    #[must_use]
    pub fn warm_up(mut self, warm_up: bool) -> Self {
        self.0.warm_up = warm_up;
        self
    }

    pub(super) fn check(&self) -> Result<()> {
        self.0.check()
    }

    /// Appends the averages of `parameters`, whose updated values are `updated`.
    pub(super) fn apply(
        &self,
        graph: &mut Graph,
        parameters: &[Value],
        updated: &[Value],
        every: u32,
    ) -> Result<()> {
        let mut inputs = state(graph, parameters, AVERAGE, |_, name| Init::Copy(name.to_owned()))?;
        inputs.extend(updated);
        inputs.push(graph.step_counter());
        let update = Update { every, ..Update::new(self.0.clone(), parameters.len()) };
        graph.unscoped(|graph| graph.apply(update, &inputs))?;
        Ok(())
    }
}
