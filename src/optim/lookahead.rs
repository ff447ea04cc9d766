//! Lookahead: slow weights that follow the trained ones, which go back to them.

use super::gradients::{lerp, state};
use crate::error::{Error, Result};
use crate::graph::{Graph, Init, Source, Value};
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
///
/// Batch norm's running statistics follow the trained parameters, from whose batches they come;
/// [`running_statistics`](Lookahead::running_statistics) gives them slow values too.
#[derive(Clone, Copy, Debug)]
#[must_use = "it does nothing until apply is called"]
pub struct Lookahead {
    alpha: Value,
    every: u32,
    running_statistics: bool,
}

impl Lookahead {
    /// With the share alpha, from 0 to 1, in the scalar `alpha`.
    pub fn new(alpha: Value) -> Self {
        Lookahead { alpha, every: 5, running_statistics: false }
    }

    setters! {
        /// Sets how many steps go before the slow weights move: the paper's k, 5 by default.
        every: u32;
        /// Sets whether batch norm's running statistics also move so, as in airbench. Off by default.
        running_statistics: bool;
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
        self.follow(graph, &parameters, &updated, |_, name| Init::Copy(name.to_owned()))?;
        if self.running_statistics {
            let statistics = running_statistics(graph);
            if statistics.is_empty() {
                return Err(Error::Setting {
                    setting: "running_statistics",
                    message: "the graph updates none; leave it off".into(),
                });
            }
            let firsts: Vec<Init> = statistics.iter().map(|(_, init)| init.clone()).collect();
            let statistics: Vec<Value> = statistics.into_iter().map(|(statistic, _)| statistic).collect();
            let updated: Vec<Value> = statistics.iter().map(|&value| graph.newest(value)).collect();
            self.follow(graph, &statistics, &updated, |i, _| firsts[i].clone())?;
        }
        Ok(())
    }

    /// Appends slow values of tensors, and both movements.
    fn follow(
        self,
        graph: &mut Graph,
        tensors: &[Value],
        updated: &[Value],
        init: impl Fn(usize, &str) -> Init,
    ) -> Result<()> {
        let slow = state(graph, tensors, "slow", init)?;
        let update = Update { every: self.every, ..Update::new(LerpRule, tensors.len()) };
        let inputs = [&slow[..], updated, &[self.alpha, graph.step_counter()]].concat();
        let slow = graph.unscoped(|graph| graph.apply(update, &inputs))?;
        lerp(graph, updated, &slow, 1.0, self.every)?;
        Ok(())
    }
}

/// Running means and variances that the graph updates, with their initial values.
fn running_statistics(graph: &Graph) -> Vec<(Value, Init)> {
    let found = graph.values().filter_map(|(value, info)| match &info.source {
        Source::State { init, .. }
            if ["running_mean", "running_var"].iter().any(|end| info.name.ends_with(end)) =>
        {
            (graph.newest(value) != value).then(|| (value, init.clone()))
        }
        _ => None,
    });
    found.collect()
}
