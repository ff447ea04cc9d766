//! Mixed precision: which values a step keeps in f16.

use super::Arenas;
use super::draft::{Drafted, declared};
use crate::error::Result;
use crate::graph::{Graph, Source, Value};
use crate::op::{Draft, Operand};
use crate::shader::Kernel;
use crate::tensor::{DType, TensorType};
use std::collections::BTreeSet;

/// The floats that a plan keeps what it computes in.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Precision {
    /// f32.
    #[default]
    F32,
    /// f16 for what layers compute and for its gradients; f32 for parameters, state, statistics, losses and reductions, and for
    /// what the user reads. Kernels compute in f32 and convert what they load and store. Gradients of parameters are f16 if
    /// the loss is scaled, unless the user reads one of them or asks for f32 (see
    /// [`PlanOptions::f32_gradients`](super::PlanOptions::f32_gradients)).
    /// As in PyTorch's `autocast`, products and convolutions begin it: arithmetic of f32 alone, or of both, stays f32.
    ///
    /// f16 ends at 65,504, and below 6e-5 it loses digits. Gradients are often smaller, so scale the loss
    /// ([`LossScale`](crate::optim::LossScale)).
    Mixed,
}

/// Lets the drafts of `nodes` keep values in f16, and returns the storages of these. `kept` are those of values that somebody
/// reads as f32. `f32_gradients` says whether all gradients of parameters are too.
///
/// # Errors
/// A kernel that can't be joined, or binds what it does not declare.
pub(super) fn halve(
    graph: &Graph,
    arenas: &Arenas,
    nodes: &mut [Drafted],
    kept: &BTreeSet<Value>,
    f32_gradients: bool,
) -> Result<BTreeSet<Value>> {
    let mut found = candidates(graph, arenas, kept);
    let runs = if f32_gradients { Vec::new() } else { scaled_gradients(graph, kept) };
    found.extend(runs.iter().flatten());
    let mut refused = BTreeSet::new();
    // Every kernel that touches a value has to take it.
    for draft in nodes.iter().flat_map(|node| &node.drafts) {
        for (number, value) in bound(graph, draft, &found)? {
            let elements = graph.info(value).ty.shape.elements();
            if !refused.contains(&value) && !takes(&draft.kernel, number, elements) {
                refused.insert(value);
            }
        }
    }
    // An update binds its gradients as one.
    for run in runs {
        if run.iter().any(|value| refused.contains(value)) {
            refused.extend(run);
        }
    }
    let halves = found.difference(&refused).copied().collect();
    for draft in nodes.iter_mut().flat_map(|node| &mut node.drafts) {
        let numbers: Vec<u32> = bound(graph, draft, &halves)?.iter().map(|&(number, _)| number).collect();
        if !numbers.is_empty() {
            draft.kernel = draft.kernel.with_f16(&numbers)?;
        }
    }
    Ok(halves)
}

/// Whether a kernel can have so many elements of f16 in a binding.
fn takes(kernel: &Kernel, number: u32, elements: usize) -> bool {
    let Ok(source) = kernel.with_f16(&[number]).and_then(|kernel| kernel.source()) else { return false };
    // An odd number has another element behind it, which a kernel that asks for the length would take too.
    elements.is_multiple_of(2) || !source.contains("arrayLength(")
}

/// The bindings of a draft that hold one of these storages.
fn bound(graph: &Graph, draft: &Draft, halves: &BTreeSet<Value>) -> Result<Vec<(u32, Value)>> {
    let all = declared(draft)?.into_iter().zip(&draft.operands);
    let of = |((number, _), operand): ((u32, _), &Operand)| match operand {
        Operand::Value(value) => Some((number, graph.storage(*value))),
        Operand::Run(values) => Some((number, graph.storage(values[0]))),
        _ => None,
    };
    Ok(all.filter_map(of).filter(|(_, root)| halves.contains(root)).collect())
}

/// Storages of what layers compute, and of its gradients. As in PyTorch's `autocast`, products and convolutions begin it, and
/// other operators go on with it unless they meet a tensor of f32.
fn candidates(graph: &Graph, arenas: &Arenas, kept: &BTreeSet<Value>) -> BTreeSet<Value> {
    let info = |value: Value| graph.info(graph.storage(value));
    let made = |value: Value| matches!(info(value).source, Source::Node { .. });
    let is_wide = |value: Value| info(value).ty.dtype == DType::F32 && info(value).ty.shape.len() > 1;
    // What comes of parameters' gradients belongs to the optimizer.
    let mut updates: BTreeSet<Value> = arenas.places.keys().copied().collect();
    // Statistics and such, which an operator on f16 reads too.
    let mut single = BTreeSet::new();
    let mut found = BTreeSet::new();
    for (_, node) in graph.nodes() {
        let of_update =
            node.inputs.iter().any(|&input| made(input) && updates.contains(&graph.storage(input)));
        let types: Vec<&TensorType> = node.inputs.iter().map(|&input| &info(input).ty).collect();
        let decides = |input: &&Value| is_wide(**input) && !single.contains(&graph.storage(**input));
        let mut wide = node.inputs.iter().filter(decides).peekable();
        let begins = node.operator.multiply_adds(&types) > 0;
        let goes_on = wide.peek().is_some() && wide.all(|&input| found.contains(&graph.storage(input)));
        for (number, &output) in node.outputs.iter().enumerate() {
            let root = graph.storage(output);
            if of_update {
                updates.insert(root);
            }
            if node.operator.keeps_f32(number) {
                single.insert(root);
            }
            let eligible = is_wide(output)
                && made(output)
                && (begins || goes_on)
                && !node.operator.keeps_f32(number)
                && !updates.contains(&root)
                && !kept.contains(&root);
            if eligible {
                found.insert(root);
            }
        }
    }
    found
}

/// Storages of gradients that an update by a scaled loss takes, for each update. f16 would lose others.
fn scaled_gradients(graph: &Graph, kept: &BTreeSet<Value>) -> Vec<Vec<Value>> {
    let mut runs = Vec::new();
    for (_, node) in graph.nodes().filter(|(_, node)| node.operator.loss_scale().is_some()) {
        for run in node.operator.arenas() {
            let run: Vec<Value> = node.inputs[run].iter().map(|&value| graph.storage(value)).collect();
            let made = |&value: &Value| matches!(graph.info(value).source, Source::Node { .. });
            if run.iter().all(made) && !run.iter().any(|value| kept.contains(value)) {
                runs.push(run);
            }
        }
    }
    runs
}
