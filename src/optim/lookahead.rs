//! Lookahead: slow weights that follow the trained ones, which go back to them.

use super::gradients::{lerp, state};
use crate::error::{Error, Result};
use crate::graph::{Graph, Init, Value};
use crate::ops::optimizer::{LerpRule, Update};

/// Lookahead (Zhang et al., 2019, "Lookahead Optimizer: k steps forward, 1 step back"). In every k-th step the slow weights
/// move towards the trained parameters by the share alpha, `slow += alpha (p - slow)`, and then `p = slow`.
///
/// It comes after the optimizers of a graph, and takes all parameters that they update:
///
/// ```
/// # fn main() -> wgrad::Result<()> {
/// # use wgrad::{Graph, Result, Value, optim};
/// # fn optimize(g: &mut Graph, loss: Value) -> Result<()> {
/// let (rate, alpha) = (g.input_scalar("learning_rate")?, g.input_scalar("alpha")?);
/// optim::Sgd::new(rate).momentum(0.9).minimize(g, loss)?;
/// optim::Lookahead::new(alpha).every(6).apply(g)?; // alpha = 0.5 is usual
/// # Ok(())
/// # }
/// # Ok(())
/// # }
/// ```
///
/// The slow weights are state of the graph, named after their parameter (`conv1.weight.slow`), and begin as its copy. A
/// run ends on them if its number of steps is a multiple of k.
#[derive(Clone, Copy, Debug)]
#[must_use = "it does nothing until apply is called"]
pub struct Lookahead {
    alpha: Value,
    every: u32,
}

impl Lookahead {
    /// With the share alpha, from 0 to 1, in the scalar `alpha`.
    pub fn new(alpha: Value) -> Self {
        Lookahead { alpha, every: 5 }
    }

    setters! {
        /// Sets how many steps go before the slow weights move: the paper's k, 5 by default.
        every: u32;
    }

    /// Appends the slow weights of all parameters that the graph has updated so far, and both movements.
    ///
    /// # Errors
    /// A graph without an optimizer; one whose parameters have slow weights already; 0 steps; an alpha that is no f32
    /// scalar.
    pub fn apply(self, graph: &mut Graph) -> Result<()> {
        if self.every == 0 {
            return Err(Error::Setting {
                setting: "every",
                message: "must be at least 1 step, found 0".into(),
            });
        }
        let parameters = graph.parameters().into_iter();
        let (parameters, updated): (Vec<Value>, Vec<Value>) =
            parameters.map(|p| (p, graph.newest(p))).filter(|(p, newest)| p != newest).unzip();
        if parameters.is_empty() {
            return Err(Error::Graph(
                "Lookahead follows parameters that an optimizer updates, found none; apply it after the optimizer".into(),
            ));
        }
        let slow = state(graph, &parameters, "slow", |_, name| Init::Copy(name.to_owned()))?;
        let update = Update { every: self.every, ..Update::new(LerpRule, parameters.len()) };
        let inputs = [&slow[..], &updated, &[self.alpha, graph.step_counter()]].concat();
        let slow = graph.unscoped(|graph| graph.apply(update, &inputs))?;
        lerp(graph, &updated, &slow, 1.0, self.every)?;
        Ok(())
    }
}
