//! Fusion: rewrites a graph so that fewer kernels touch memory less often.
//!
//! Each pass looks for one pattern of nodes and puts others in their place; values keep their
//! identity, so what a user holds stays valid. Nothing here knows kernels: a fused node is an
//! operator like any other, with shape rule, kernels and reference, so that verifying, printing and
//! profiling need no second path. Passes run after autodiff and before anything is placed in memory.

mod elementwise;
mod loss;
mod norm;
mod pool;

use super::{Caps, MAX_ITERATIONS, PlanOptions, draft, live_nodes};
use crate::graph::{Graph, Node, NodeId, Source, Value};
use crate::ops::Operator;
use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// What a plan may fuse.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
pub enum Fusion {
    /// Cross-entropy and its gradient, where one workgroup makes both.
    LossGradient,
    /// An activation's gradient behind max pooling's goes before it, where there are fewer elements.
    PooledActivation,
    /// Operators that work element by element (activations, additions, their gradients, batch norm in
    /// evaluation) into the node that makes their input: products, convolutions, normalisation, one
    /// another.
    Elementwise,
    /// Batch norm, activation and max pooling of 2x2 windows, and their gradients.
    NormPool,
    /// The gradient of a bias in front of batch norm, which is zero, into batch norm's.
    NormBias,
}

impl Fusion {
    /// Every fusion, in the order in which they run.
    pub const ALL: [Fusion; 5] = [
        Fusion::LossGradient,
        Fusion::PooledActivation,
        Fusion::Elementwise,
        Fusion::NormPool,
        Fusion::NormBias,
    ];

    /// Tries to fuse what ends at a node; whether it did.
    fn at(self, rewrite: &mut Rewrite<'_>, node: NodeId) -> bool {
        match self {
            Fusion::LossGradient => loss::fuse(rewrite, node),
            Fusion::PooledActivation => pool::move_activation(rewrite, node),
            Fusion::Elementwise => elementwise::fuse(rewrite, node),
            Fusion::NormPool => pool::fuse(rewrite, node),
            Fusion::NormBias => norm::fuse_bias(rewrite, node),
        }
        .is_some()
    }
}

impl fmt::Display for Fusion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Fusion::LossGradient => "loss_gradient",
            Fusion::PooledActivation => "pooled_activation",
            Fusion::Elementwise => "elementwise",
            Fusion::NormPool => "norm_pool",
            Fusion::NormBias => "norm_bias",
        })
    }
}

/// The graph with dead nodes left out and all fusions done that `options` allow.
pub(crate) fn run(graph: &Graph, outputs: &[Value], caps: &Caps, options: &PlanOptions) -> Graph {
    let nodes = live_nodes(graph, outputs).into_iter().map(|id| graph.node(id).clone()).collect();
    let mut rewrite =
        Rewrite { graph: graph.clone().with_nodes(nodes), kept: outputs.to_vec(), caps, options };
    for fusion in Fusion::ALL {
        if options.without.contains(&fusion) {
            continue;
        }
        // A fusion renumbers the nodes after it; what it made is looked at again.
        let mut next = 0;
        while next < rewrite.graph.nodes().count() {
            if !fusion.at(&mut rewrite, NodeId(next)) {
                next += 1;
            }
        }
    }
    rewrite.graph
}

/// A graph on its way through the passes.
struct Rewrite<'a> {
    graph: Graph,
    /// What the user may read after a step.
    kept: Vec<Value>,
    caps: &'a Caps,
    options: &'a PlanOptions,
}

/// Nodes that give way to others.
struct Group {
    members: Vec<NodeId>,
    nodes: Vec<Node>,
}

impl Rewrite<'_> {
    /// The node that makes this value, with the number of the output.
    fn producer(&self, value: Value) -> Option<(NodeId, usize)> {
        match self.graph.value(value).source {
            Source::Node { node, output } => Some((node, output)),
            _ => None,
        }
    }

    /// The nodes that read this value.
    fn consumers(&self, value: Value) -> Vec<NodeId> {
        self.graph.nodes().filter(|(_, node)| node.inputs.contains(&value)).map(|(id, _)| id).collect()
    }

    /// The operator of a node, if it is of this type.
    fn operator<T: Operator>(&self, node: NodeId) -> Option<&T> {
        let operator: &dyn Any = self.graph.node(node).operator.as_ref();
        operator.downcast_ref()
    }

    /// A value like `like`, for new nodes.
    fn reserve(&mut self, like: Value) -> Value {
        let info = self.graph.value(like);
        let (name, kind) = (info.name.clone(), info.kind.clone());
        self.graph.reserve(name, kind)
    }

    /// Puts new nodes in the place of others: those of a group where its last member stood or else its
    /// first. Values that no node makes any more are dropped. `None`, and nothing changed, where that
    /// would change what others see, or the adapter can't bind what a new node needs or run its loops.
    fn replace(&mut self, groups: &[Group]) -> Option<()> {
        let new = || groups.iter().flat_map(|group| &group.nodes);
        if !new().all(|node| self.fits(node)) {
            return None;
        }
        let old: Vec<Node> = self.graph.nodes().map(|(_, node)| node.clone()).collect();
        for last in [true, false] {
            let mut nodes = Vec::with_capacity(old.len());
            for (i, node) in old.iter().enumerate() {
                let id = NodeId(i);
                let Some(group) = groups.iter().find(|group| group.members.contains(&id)) else {
                    nodes.push(node.clone());
                    continue;
                };
                let members = group.members.iter();
                let place = if last { members.max() } else { members.min() };
                if place == Some(&id) {
                    nodes.extend(group.nodes.iter().cloned());
                }
            }
            self.graph = std::mem::take(&mut self.graph).with_nodes(nodes);
            if self.is_sound() {
                return Some(());
            }
        }
        self.graph = std::mem::take(&mut self.graph).with_nodes(old);
        None
    }

    /// Whether every node finds its inputs made and not yet overwritten, and what the user may read is
    /// made.
    fn is_sound(&self) -> bool {
        // By storage: the newest value written in place so far.
        let mut newest: BTreeMap<Value, Value> = BTreeMap::new();
        let mut made: BTreeSet<Value> = BTreeSet::new();
        for (_, node) in self.graph.nodes() {
            for &input in &node.inputs {
                let there = match self.graph.value(input).source {
                    Source::Node { .. } => made.contains(&input),
                    Source::Dropped => false,
                    _ => true,
                };
                let old = newest.get(&self.graph.storage(input)).is_some_and(|&newest| input < newest);
                if !there || old {
                    return false;
                }
            }
            made.extend(&node.outputs);
            for (output, input) in node.operator.in_place() {
                newest.insert(self.graph.storage(node.inputs[input]), node.outputs[output]);
            }
        }
        self.kept.iter().all(|&value| !matches!(self.graph.value(value).source, Source::Dropped))
    }

    /// Whether the adapter can bind all that the node's kernels need, and their loops stay short.
    fn fits(&self, node: &Node) -> bool {
        let read = vec![true; node.outputs.len()];
        draft(&self.graph, node, self.caps, self.options, &read, &[]).is_ok_and(|drafted| {
            let most = self.caps.max_storage_buffers as usize;
            drafted
                .drafts
                .iter()
                .all(|draft| draft.operands.len() <= most && draft.kernel.max_iterations() <= MAX_ITERATIONS)
        })
    }
}
