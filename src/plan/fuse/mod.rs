//! Fusion: rewrites a graph so that fewer kernels touch memory less often.
//!
//! Each pass looks for one pattern of nodes and replaces it. Values keep their identity, so values that a user holds
//! stay valid. Nothing here knows kernels: a fused node is an operator like any other, with shape rule, kernels and
//! reference, so verifying, printing and profiling need no second path. Passes run after autodiff and before anything
//! is placed in memory.

mod elementwise;
mod loss;
mod norm;
mod pool;
mod rewrite;

use super::PlanOptions;
use super::draft::live_nodes;
use crate::graph::{Graph, Value};
use crate::op::Caps;
use rewrite::{Group, Rewrite, Slot};
use std::fmt;

/// A fusion that a plan may do.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
pub enum Fusion {
    /// Cross-entropy and its gradient, if one workgroup makes both.
    LossGradient,
    /// Moves an activation's gradient from behind max pooling's gradient to before it, where there are fewer
    /// elements.
    PooledActivation,
    /// Element-wise operators (activations, additions, their gradients, batch norm in evaluation) into the node that
    /// makes their input: products, convolutions, normalisation, other element-wise operators. Several of them may read
    /// that input: `x * sigmoid(x)`.
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
        // Before anything elementwise joins the sum that it looks for.
        Fusion::NormBias,
        Fusion::Elementwise,
        Fusion::NormPool,
    ];

    /// Tries to fuse the pattern that ends at a node. `None` if nothing was fused.
    fn at(self, rewrite: &mut Rewrite<'_>, node: Slot) -> Option<()> {
        match self {
            Fusion::LossGradient => loss::fuse(rewrite, node),
            Fusion::PooledActivation => pool::move_activation(rewrite, node),
            Fusion::Elementwise => elementwise::fuse(rewrite, node),
            Fusion::NormPool => pool::fuse(rewrite, node),
            Fusion::NormBias => norm::fuse_bias(rewrite, node),
        }
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

/// The graph without dead nodes and with all fusions that `options` allow.
pub(crate) fn run(graph: &Graph, outputs: &[Value], caps: &Caps, options: &PlanOptions) -> Graph {
    let nodes = live_nodes(graph, outputs).into_iter().map(|id| graph.node_at(id).clone()).collect();
    let mut rewrite = Rewrite::new(graph.clone(), nodes, outputs, caps, options);
    for fusion in Fusion::ALL {
        if options.without.contains(&fusion) {
            continue;
        }
        let mut at = rewrite.first();
        while let Some(slot) = at {
            let next = rewrite.after(slot);
            fusion.at(&mut rewrite, slot);
            at = next.and_then(|next| rewrite.here_or_after(next));
        }
    }
    rewrite.finish()
}
