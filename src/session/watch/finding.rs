//! Findings of the numerics watch, by names of the graph.

use super::Watch;
use crate::graph::{NodeId, Source, Value};
use crate::not_finite::{NodeFault, NotFinite, SourceFault, SourceKind};
use crate::plan::{Plan, REPORT_WORDS, Watched};
use crate::tensor::HostSlice;
use std::collections::BTreeSet;

/// Describes a report that found something.
pub(super) fn describe(plan: &Plan, watch: &Watch, report: &[u32]) -> NotFinite {
    let watching = plan.watching.as_ref().expect("a report is of a watched plan");
    let (run, step) = (!report[2], report[3]);
    let counts = &report[REPORT_WORDS as usize..];
    let mut found = NotFinite { step, node: None, source: None };
    for (&watched, &count) in watching.watched.iter().zip(counts).filter(|(_, count)| **count > 0) {
        let (id, output, is_update) = match watched {
            Watched::Stored(value) => {
                found.source.get_or_insert_with(|| source(plan, value, count.into(), None));
                continue;
            }
            Watched::Output(id, output) => (id, output, false),
            Watched::Updates(id) => (id, 0, true),
        };
        let node = plan.graph().node_at(id);
        let size = |value: &Value| plan.graph().info(*value).ty.shape.elements() as u64;
        let elements = if is_update { node.outputs.iter().map(size).sum() } else { u64::MAX };
        found.node = Some(NodeFault {
            operator: node.operator.describe(),
            node: node.name.clone(),
            output,
            updates: if is_update { None } else { stored(plan, node.outputs[output]) },
            elements: u64::from(count).min(elements),
            is_update,
        });
        if found.source.is_none() {
            found.source = sources(plan, id).into_iter().find_map(|value| held(plan, watch, value, run));
        }
        break;
    }
    found
}

/// Name of the parameter or state whose storage this value has.
fn stored(plan: &Plan, value: Value) -> Option<String> {
    let info = plan.graph().info(plan.graph().storage(value));
    matches!(info.source, Source::Parameter(_) | Source::State { .. }).then(|| info.name.clone())
}

/// Non-finite elements of an input or a constant in this run.
fn held(plan: &Plan, watch: &Watch, value: Value, run: u32) -> Option<SourceFault> {
    match &plan.graph().info(value).source {
        Source::Input => {
            let held = watch.held(value, run)?;
            Some(source(plan, value, held.elements as u64, Some(held.position as u64)))
        }
        Source::Constant(tensor) => {
            let HostSlice::F32(data) = HostSlice::from(tensor) else { return None };
            let counts = |x: &f32| x.to_bits() & 0x7fff_ffff >= watch.least_bits;
            let position = data.iter().position(counts)?;
            let elements = data.iter().filter(|x| counts(x)).count();
            Some(source(plan, value, elements as u64, Some(position as u64)))
        }
        _ => None,
    }
}

fn source(plan: &Plan, value: Value, elements: u64, position: Option<u64>) -> SourceFault {
    let info = plan.graph().info(value);
    let kind = match info.source {
        Source::Parameter(_) => SourceKind::Parameter,
        Source::State { .. } => SourceKind::State,
        Source::Constant(_) => SourceKind::Constant,
        _ => SourceKind::Input,
    };
    SourceFault { kind, name: info.name.clone(), elements, position }
}

/// Values made by no node that this node reads, directly or through nodes that the watch does not look at.
fn sources(plan: &Plan, node: NodeId) -> BTreeSet<Value> {
    let graph = plan.graph();
    let watching = plan.watching.as_ref();
    let unseen = |id: NodeId| {
        let node = graph.node_at(id);
        node.operator.only_moves() || watching.is_some_and(|watching| watching.leaves_out(&node.name))
    };
    let (mut found, mut seen) = (BTreeSet::new(), BTreeSet::new());
    let mut waiting = vec![node];
    while let Some(id) = waiting.pop() {
        for &input in &graph.node_at(id).inputs {
            let root = graph.storage(input);
            match graph.info(root).source {
                Source::Node { node, .. } if unseen(node) && seen.insert(node) => waiting.push(node),
                Source::Node { .. } => {}
                _ => {
                    found.insert(root);
                }
            }
        }
    }
    found
}
