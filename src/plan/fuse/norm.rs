//! Fuses the gradient of a bias in front of batch norm into batch norm's gradient. It is the sum of that gradient
//! over each channel, and it is zero, because normalising removes anything that is added to a whole channel.

use super::{Group, Rewrite, Slot};
use crate::graph::Node;
use crate::op::Operator;
use crate::ops::batch_norm::{BatchNormGrad, BatchNormMaxPoolGrad};
use crate::ops::reduce::Reduce;
use std::sync::Arc;

/// Fuses the gradient of a bias into the gradient of the batch norm behind it.
pub(super) fn fuse_bias(rewrite: &mut Rewrite<'_>, id: Slot) -> Option<()> {
    let bias = rewrite.node(id).clone();
    let &[source] = &bias.inputs[..] else { return None };
    // Over all but the channels.
    let others = (0..rewrite.graph.shape_of(source).len()).filter(|&d| d != 1);
    if *rewrite.operator::<Reduce>(id)? != Reduce::sum(others.collect::<Vec<_>>()) {
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
    let norm = rewrite.node(norm_id).clone();
    let outputs = [norm.outputs, bias.outputs].concat();
    let node = Node { operator, outputs, ..rewrite.node(norm_id).clone() };
    if !rewrite.fits(std::slice::from_ref(&node)) {
        return None;
    }
    rewrite.replace(vec![Group { members: vec![norm_id, id], nodes: vec![node] }])
}
