//! What has to be alike on all ranks before the first step, as names and texts.

use super::ParallelOptions;
use crate::error::Result;
use crate::graph::{Graph, Source};
use crate::hash::fnv1a;
use crate::plan::Plan;
use crate::session::Session;
use crate::tensor::HostSlice;
use std::fmt::Write as _;

/// Adapter, graph, kernels, step number, weights and options of a session.
pub(super) fn items(session: &mut Session, options: &ParallelOptions) -> Result<Vec<(&'static str, String)>> {
    let (tensors, bytes) = crate::device::block_on(session.weights.download())?;
    session.counters.bytes_read_back += bytes;
    session.counters.allocations += 1;
    let mut weights = 0;
    for (name, tensor) in &tensors {
        let [name, contents] = [name.as_bytes(), HostSlice::from(tensor).bytes()].map(fnv1a);
        weights = fnv1a(bytemuck::cast_slice(&[weights, name, contents]));
    }
    Ok(vec![
        ("adapter", session.device.summary().to_string()),
        ("graph", hashed(&of_graph(session.plan.graph()))),
        ("kernel choices", hashed(&of_kernels(&session.plan))),
        ("number of micro-batches", options.micro_batches.to_string()),
        ("bytes of a bucket", options.bucket_bytes.to_string()),
        ("step number", session.step.to_string()),
        ("weights", format!("{} tensors ({weights:016x})", tensors.len())),
    ])
}

fn hashed(text: &str) -> String {
    format!("{} lines ({:016x})", text.lines().count(), fnv1a(text.as_bytes()))
}

/// Values, nodes with their attributes, and constants.
fn of_graph(graph: &Graph) -> String {
    let mut text = graph.to_string();
    for (_, node) in graph.nodes() {
        let _ = writeln!(text, "{:?}", node.operator);
    }
    for (_, info) in graph.values() {
        if let Source::Constant(tensor) = &info.source {
            let _ = writeln!(text, "{:016x}", fnv1a(HostSlice::from(tensor).bytes()));
        }
    }
    text
}

/// The kernel of each node, with its constants.
fn of_kernels(plan: &Plan) -> String {
    let mut text = String::new();
    for step in plan.steps() {
        let _ = writeln!(text, "{} {}", plan.graph().node_at(step.node).name, step.variant.name());
    }
    for dispatch in plan.dispatches() {
        let _ = writeln!(text, "{:?} {:?}", dispatch.kernel, dispatch.workgroups);
    }
    text
}
