//! Drafts: the dispatches of a node before their operands have places.

use super::PlanOptions;
use crate::error::{Error, Result};
use crate::graph::{Graph, Node, NodeId, Value};
use crate::op::{Caps, Draft, Hook, LowerContext, Variant};
use crate::shader::Access;
use std::collections::BTreeSet;
use std::ops::Range;

/// The nodes that `outputs` and all updates in place need, in order.
pub(super) fn live_nodes(graph: &Graph, outputs: &[Value]) -> Vec<NodeId> {
    let mut wanted: BTreeSet<Value> = outputs.iter().copied().collect();
    let nodes: Vec<_> = graph.nodes().collect();
    let mut live = Vec::new();
    for (id, node) in nodes.into_iter().rev() {
        if !node.operator.in_place().is_empty() || node.outputs.iter().any(|v| wanted.contains(v)) {
            wanted.extend(&node.inputs);
            live.push(id);
        }
    }
    live.reverse();
    live
}

/// A node's drafts.
pub(super) struct Drafted {
    pub variant: Variant,
    pub why: String,
    pub drafts: Vec<Draft>,
    /// Bytes of each temporary.
    pub temporaries: Vec<u64>,
    /// Whether kernels count elements of the first output that are not finite.
    pub hooked: bool,
}

/// Chooses a node's kernel variant and records its dispatches. `read` says which outputs anything reads. Kernels
/// count for the numerics watch by `hook`, if all kernels that store the first output can.
pub(super) fn draft(
    graph: &Graph,
    node: &Node,
    caps: &Caps,
    options: &PlanOptions,
    read: &[bool],
    pages: &[Range<usize>],
    hook: Option<Hook>,
) -> Result<Drafted> {
    let (variant, why) = options.pick(graph, node, read, caps)?;
    let record = |hook| {
        let mut lower = LowerContext::new(graph, node, caps, variant, read, pages);
        lower.hook = hook;
        node.operator.lower(&mut lower)?;
        Ok::<_, Error>(lower)
    };
    let mut lower = record(hook)?;
    if lower.hooked.1 {
        lower = record(None)?;
    }
    let hooked = lower.hooked.0;
    Ok(Drafted { variant, why, drafts: lower.drafts, temporaries: lower.temporaries, hooked })
}

/// The bindings that a draft's kernel declares, one for each operand.
pub(super) fn declared(draft: &Draft) -> Result<Vec<(u32, Access)>> {
    let declared = draft.kernel.bindings()?;
    if declared.len() == draft.operands.len() {
        return Ok(declared);
    }
    Err(Error::Shader {
        shader: draft.kernel.name().to_owned(),
        message: format!("declares {} bindings, the operator binds {}", declared.len(), draft.operands.len()),
    })
}
