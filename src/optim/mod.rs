//! Optimizers: stochastic gradient descent, Adam and AdamW, with PyTorch's names, defaults and
//! arithmetic.
//!
//! An optimizer appends nodes to the graph: the gradients of the loss, and one update of all
//! parameters in place, which every plan of the graph then runs at the end of its step. The
//! learning rate is an input of the graph and changes without rebuilding.
//!
//! Each can clip the gradients it uses, by value and by the norm of all of them together. Neither is a
//! pass of its own: the update reads the gradients anyway, and a norm costs it one reduction.

mod adam;
mod sgd;

pub use adam::{Adam, AdamW};
pub use sgd::Sgd;

use crate::error::{Error, Result};
use crate::graph::{Graph, Init, Source, Value};
use crate::ops::elementwise::Copy;
use crate::ops::optimizer::Clip;
use std::collections::HashSet;
use std::sync::Arc;

/// The parameters that `loss` depends on, each with the gradient of the loss.
fn gradients(graph: &mut Graph, loss: Value) -> Result<Vec<(Value, Value)>> {
    let parameters = graph.parameters_of(loss)?;
    if parameters.is_empty() {
        let name = &graph.value(loss).name;
        return Err(Error::Graph(format!(
            "the loss \"{name}\" depends on no parameter, so there is nothing to train"
        )));
    }
    let gradients = graph.gradients(loss, &parameters)?;
    Ok(parameters.into_iter().zip(gradients).filter_map(|(p, g)| Some((p, g?))).collect())
}

/// Checks parameters and gradients, and gives every gradient storage that an arena can place: a
/// node's own output, used by nothing that writes another gradient. Others are copied.
fn placed(graph: &mut Graph, pairs: &[(Value, Value)]) -> Result<Vec<Value>> {
    check(graph, pairs)?;
    let roots: Vec<Value> = pairs.iter().map(|&(_, gradient)| graph.storage(gradient)).collect();
    let (mut among, mut taken) = (HashSet::new(), HashSet::new());
    for &root in &roots {
        // Not even the first of several may stay: the others are copied from it.
        if !among.insert(root) {
            taken.insert(root);
        }
    }
    for (_, node) in graph.nodes() {
        // What an earlier optimizer has placed lies in its arena.
        for i in node.operator.arenas().into_iter().flatten() {
            taken.insert(graph.storage(node.inputs[i]));
        }
        // A kernel can't read one tensor of an arena while it writes another.
        if !node.operator.is_view() && node.outputs.iter().any(|&v| among.contains(&graph.storage(v))) {
            taken.extend(node.inputs.iter().map(|&v| graph.storage(v)));
        }
    }
    let mut gradients = Vec::with_capacity(pairs.len());
    for (&(parameter, gradient), root) in pairs.iter().zip(roots) {
        let own = matches!(graph.value(root).source, Source::Node { .. });
        if own && !taken.contains(&root) {
            gradients.push(gradient);
        } else {
            let name = graph.value(parameter).name.clone();
            gradients.push(graph.apply_named(name, Arc::new(Copy), &[gradient])?[0]);
        }
    }
    Ok(gradients)
}

fn check(graph: &Graph, pairs: &[(Value, Value)]) -> Result<()> {
    if pairs.is_empty() {
        return Err(Error::Graph("an optimizer needs at least one parameter, found none".into()));
    }
    graph.check_owned(pairs.iter().flat_map(|&(parameter, gradient)| [parameter, gradient]))?;
    let mut seen = HashSet::new();
    for &(parameter, gradient) in pairs {
        let (info, found) = (graph.value(parameter), graph.value(gradient));
        if !matches!(info.source, Source::Parameter(_)) {
            return Err(Error::Graph(format!("an optimizer trains parameters; \"{}\" is none", info.name)));
        }
        if info.kind != found.kind {
            return Err(Error::Graph(format!(
                "the gradient of \"{}\" must be {}, not {}",
                info.name, info.kind, found.kind
            )));
        }
        if !seen.insert(parameter) {
            return Err(Error::Graph(format!("\"{}\" is given to the optimizer twice", info.name)));
        }
    }
    Ok(())
}

/// State like each parameter, zero at first, named after it: `conv1.weight.momentum`.
fn state(graph: &mut Graph, pairs: &[(Value, Value)], suffix: &str) -> Result<Vec<Value>> {
    let mut states = Vec::with_capacity(pairs.len());
    for &(parameter, _) in pairs {
        let info = graph.value(parameter);
        let (name, shape) = (format!("{}.{suffix}", info.name), info.kind.shape.clone());
        // The parameter's name has its scope already.
        states.push(graph.unscoped(|graph| graph.state(&name, shape, Init::Constant(0.0), false))?);
    }
    Ok(states)
}

/// Fails unless `value` passes; the message says what was expected.
fn require(setting: &'static str, value: f64, passes: bool, expected: &str) -> Result<()> {
    if passes {
        return Ok(());
    }
    Err(Error::Setting { setting, message: format!("must be {expected}, found {value}") })
}

/// Weight decay pulls towards zero or does nothing.
fn require_weight_decay(value: f64) -> Result<()> {
    require("weight_decay", value, value >= 0.0 && value.is_finite(), "at least 0")
}

/// Limits of clipping are norms or magnitudes.
fn require_clip(clip: Clip) -> Result<()> {
    // Kernels have them as f32, in which a smaller one would be nothing.
    let passes = |limit: f64| limit >= f64::from(f32::MIN_POSITIVE) && limit <= f64::from(f32::MAX);
    for (setting, limit) in [("clip_value", clip.value), ("clip_norm", clip.norm)] {
        if let Some(limit) = limit {
            require(setting, limit, passes(limit), "above 0 and finite")?;
        }
    }
    Ok(())
}
