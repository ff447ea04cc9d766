//! What the numerics watch found, in the words of the graph.

use super::Watch;
use crate::graph::{NodeId, Source, Value};
use crate::plan::{Plan, REPORT_WORDS, Watched};
use crate::tensor::HostSlice;
use std::collections::BTreeSet;
use std::fmt;

/// The first step in which anything was not finite.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NotFinite {
    /// The step's number, as [`Session::step_number`](crate::Session::step_number) counts.
    pub step: u32,
    /// The first node, in order of the graph, whose output was not finite. `None` where a parameter or state was not,
    /// and nothing came of it in that step.
    pub node: Option<NodeFault>,
    /// What was not finite before the step, if that is where it came from.
    pub source: Option<SourceFault>,
}

/// A node whose output was not finite.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NodeFault {
    /// What the node does: an operator, or several that were fused.
    pub operator: String,
    /// The node's name.
    pub node: String,
    /// Which of its outputs; 0 for an optimizer's update, whose tensors count together.
    pub output: usize,
    /// The parameter or state whose new value it is, if it is one's.
    pub updates: Option<String>,
    /// Elements of it that were not finite. Where operators were fused, those too that were not finite behind any
    /// of the operators. Of an update, padding between tensors may count, where the rate or a norm is not finite.
    pub elements: u64,
    /// Whether the node updates parameters.
    pub is_update: bool,
}

/// Contents that were not finite before a step.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SourceFault {
    /// What it is.
    pub kind: SourceKind,
    /// Its name.
    pub name: String,
    /// Elements that were not finite.
    pub elements: u64,
    /// Flat index of the first of them, where it is known.
    pub position: Option<u64>,
}

/// What a step starts from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum SourceKind {
    /// Written before the step.
    Input,
    /// Fixed contents.
    Constant,
    /// Trained, or loaded.
    Parameter,
    /// Running statistics, an optimizer's state.
    State,
}

impl fmt::Display for SourceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SourceKind::Input => "input",
            SourceKind::Constant => "constant",
            SourceKind::Parameter => "parameter",
            SourceKind::State => "state",
        })
    }
}

impl fmt::Display for NotFinite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "step {} (counted from 0): ", self.step)?;
        if let Some(source) = &self.source {
            write!(f, "{source}")?;
            if let Some(node) = &self.node {
                write!(f, "; first to follow: {node}")?;
            }
            return f.write_str(match source.kind {
                SourceKind::Input => "; check the data, and how it is normalised",
                SourceKind::Constant => "; check the tensor that the graph was built with",
                _ => "; load other weights, or resume an earlier checkpoint",
            });
        }
        let Some(node) = &self.node else { return f.write_str("nothing is known") };
        write!(f, "{node}, the first in the graph to do so")?;
        f.write_str(if node.is_update {
            "; lower the learning rate or clip the gradients"
        } else {
            "; lower the learning rate, clip the gradients, or check the range of the inputs"
        })
    }
}

impl fmt::Display for NodeFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let NodeFault { operator, node, output, updates, elements, .. } = self;
        let are = if *elements == 1 { "element that is" } else { "elements that are" };
        let which = match updates {
            Some(name) => format!(" (its \"{name}\")"),
            None if *output == 0 => String::new(),
            None => format!(" (output {output})"),
        };
        write!(f, "{operator} \"{node}\"{which} made {elements} {are} not finite")
    }
}

impl fmt::Display for SourceFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let SourceFault { kind, name, elements, position } = self;
        let are = if *elements == 1 { "element that is" } else { "elements that are" };
        write!(f, "{kind} \"{name}\" holds {elements} {are} not finite")?;
        match position {
            Some(position) if *elements == 1 => write!(f, ", at position {position}"),
            Some(position) => write!(f, ", the first at position {position}"),
            None => Ok(()),
        }
    }
}

/// Puts a report that something was found into words.
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

/// The name of the parameter or state whose storage this value has.
fn stored(plan: &Plan, value: Value) -> Option<String> {
    let info = plan.graph().info(plan.graph().storage(value));
    matches!(info.source, Source::Parameter(_) | Source::State { .. }).then(|| info.name.clone())
}

/// What an input or a constant held in this run that was not finite.
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

/// What a node reads that no node makes: directly, or through nodes that the watch does not look at.
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
