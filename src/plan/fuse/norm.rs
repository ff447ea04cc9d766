//! The gradient of a bias whose sum batch norm normalises. It is the sum of batch norm's gradient over
//! each channel, and zero: normalising takes away what is added to a whole channel.

use super::{Group, Rewrite};
use crate::graph::{Node, NodeId};
use crate::ops::Operator;
use crate::ops::batch_norm::{BatchNormGrad, BatchNormMaxPoolGrad};
use crate::ops::conv2d::Conv2dGradBias;
use crate::ops::elementwise::SumTo;
use std::sync::Arc;

/// Fuses the gradient of a bias into the gradient of the batch norm behind it.
pub(super) fn fuse_bias(rewrite: &mut Rewrite<'_>, id: NodeId) -> Option<()> {
    let bias = rewrite.graph.node(id).clone();
    let &[source] = &bias.inputs[..] else { return None };
    let channels = rewrite.graph.shape(source).get(1).copied()?;
    // A sum of (N, C, ...) to (C) is one over channels where it is (N, C): shapes align at the last.
    let over_channels = rewrite.operator::<Conv2dGradBias>(id).is_some()
        || rewrite.operator::<SumTo>(id).is_some() && rewrite.graph.shape(source).len() == 2;
    if !over_channels || rewrite.graph.shape(bias.outputs[0])[..] != [channels] {
        return None;
    }
    let (norm_id, 0) = rewrite.producer(source)? else { return None };
    let operator: Arc<dyn Operator> = if let Some(norm) = rewrite.operator::<BatchNormGrad>(norm_id) {
        Arc::new(norm.with_source_bias()?)
    } else {
        Arc::new(BatchNormMaxPoolGrad(
            rewrite.operator::<BatchNormMaxPoolGrad>(norm_id)?.0.with_source_bias()?,
        ))
    };
    let norm = rewrite.graph.node(norm_id).clone();
    let outputs = [norm.outputs, bias.outputs].concat();
    let node = Node { operator, outputs, ..rewrite.graph.node(norm_id).clone() };
    rewrite.replace(&[Group { members: vec![norm_id, id], nodes: vec![node] }])
}
