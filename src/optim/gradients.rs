//! Parts of an update: gradients in storage that arenas can place, state for each parameter, movement towards others.

use crate::error::{Error, Result};
use crate::graph::{Graph, Init, Source, Value};
use crate::ops::elementwise::Copy;
use crate::ops::optimizer::{LerpRule, Update};
use crate::tensor::{HostTensor, Shape};
use std::collections::HashSet;
use std::sync::Arc;

/// Returns the gradients in storage that an arena can place: a node's own output, not read by a node that
/// writes another gradient. Other gradients are copied.
pub(super) fn placed(graph: &mut Graph, pairs: &[(Value, Value)]) -> Result<Vec<Value>> {
    let roots: Vec<Value> = pairs.iter().map(|&(_, gradient)| graph.storage(gradient)).collect();
    let (mut among, mut taken) = (HashSet::new(), HashSet::new());
    for &root in &roots {
        // A gradient shared by several parameters is copied for each, the first too.
        if !among.insert(root) {
            taken.insert(root);
        }
    }
    for (_, node) in graph.nodes() {
        // Gradients of an earlier optimizer lie in its arena.
        for i in node.operator.arenas().into_iter().flatten() {
            taken.insert(graph.storage(node.inputs[i]));
        }
        // A kernel can't read one tensor of an arena and write another.
        if !node.operator.is_view() && node.outputs.iter().any(|&v| among.contains(&graph.storage(v))) {
            taken.extend(node.inputs.iter().map(|&v| graph.storage(v)));
        }
    }
    let mut gradients = Vec::with_capacity(pairs.len());
    for (&(parameter, gradient), root) in pairs.iter().zip(roots) {
        let own = matches!(graph.info(root).source, Source::Node { .. });
        if own && !taken.contains(&root) {
            gradients.push(gradient);
        } else {
            let name = graph.info(parameter).name.clone();
            gradients.push(graph.apply_named(name, Arc::new(Copy), &[gradient])?[0]);
        }
    }
    Ok(gradients)
}

/// Checks that these are different parameters with gradients of their shapes.
pub(super) fn check(graph: &Graph, pairs: &[(Value, Value)]) -> Result<()> {
    if pairs.is_empty() {
        return Err(Error::Graph("an optimizer needs at least one parameter, found none".into()));
    }
    graph.check_owned(pairs.iter().flat_map(|&(parameter, gradient)| [parameter, gradient]))?;
    let mut seen = HashSet::new();
    for &(parameter, gradient) in pairs {
        let (info, found) = (graph.info(parameter), graph.info(gradient));
        if !matches!(info.source, Source::Parameter(_)) {
            return Err(Error::Graph(format!("an optimizer trains parameters; \"{}\" is none", info.name)));
        }
        if info.ty != found.ty {
            return Err(Error::Graph(format!(
                "the gradient of \"{}\" must be {}, not {}",
                info.name, info.ty, found.ty
            )));
        }
        if graph.newest(parameter) != parameter {
            return Err(Error::Graph(format!(
                "\"{}\" was updated earlier in the graph; give each parameter to one optimizer, by `only` or `freeze`",
                info.name
            )));
        }
        if !seen.insert(parameter) {
            return Err(Error::Graph(format!("\"{}\" is given to the optimizer twice", info.name)));
        }
    }
    Ok(())
}

/// Declares state of each parameter's shape, named after it: `conv1.weight.momentum_buffer`.
pub(super) fn state(
    graph: &mut Graph,
    parameters: &[Value],
    suffix: &str,
    init: impl Fn(usize, &str) -> Init,
) -> Result<Vec<Value>> {
    let mut states = Vec::with_capacity(parameters.len());
    for (i, &parameter) in parameters.iter().enumerate() {
        let info = graph.info(parameter);
        let (name, shape) = (format!("{}.{suffix}", info.name), info.ty.shape.clone());
        let init = init(i, &info.name);
        // The parameter's name already includes its scope.
        states.push(graph.unscoped(|graph| graph.state(&name, shape, init, false))?);
    }
    Ok(states)
}

/// Moves tensors towards others by a fixed share, in every so many steps.
pub(super) fn lerp(
    graph: &mut Graph,
    tensors: &[Value],
    towards: &[Value],
    share: f64,
    every: u32,
) -> Result<Vec<Value>> {
    let share = graph.constant(HostTensor::f32(Shape::scalar(), vec![share as f32])?)?;
    let inputs = [tensors, towards, &[share, graph.step_counter()]].concat();
    let update = Update { every, ..Update::new(LerpRule, tensors.len()) };
    graph.unscoped(|graph| graph.apply(update, &inputs))
}
