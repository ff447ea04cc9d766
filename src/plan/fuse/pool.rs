//! Fuses max pooling with batch normalisation in front of it, and moves an activation's gradient before max
//! pooling's.

use super::{Group, Rewrite, Slot};
use crate::graph::Node;
use crate::op::Operator;
use crate::ops::batch_norm::{
    BatchNormGrad, BatchNormMaxPool, BatchNormMaxPoolGrad, BatchNormTrain, pooled_taps, pools,
};
use crate::ops::chain::Chain;
use crate::ops::pool2d::{MaxPool2d, MaxPool2dGrad, Windows};
use crate::ops::unary::{Unary, UnaryGrad};
use std::sync::Arc;

/// Moves an activation's gradient before the gradient of the max pooling behind the activation. Only the winning tap
/// of a window has a gradient, and its value is the window's, so the slope is the same.
pub(super) fn move_activation(rewrite: &mut Rewrite<'_>, id: Slot) -> Option<()> {
    let function = *rewrite.operator::<UnaryGrad>(id)?;
    let activation = rewrite.node(id).clone();
    let [y, gradient] = activation.inputs[..] else { return None };
    let (spread_id, 0) = rewrite.producer(gradient)? else { return None };
    let spread = rewrite.node(spread_id).clone();
    rewrite.operator::<MaxPool2dGrad>(spread_id)?;
    let (pooled_gradient, taps) = (spread.inputs[0], spread.inputs[1]);
    let (pool_id, 1) = rewrite.producer(taps)? else { return None };
    let pool = rewrite.node(pool_id).clone();
    rewrite.operator::<MaxPool2d>(pool_id)?;
    if pool.inputs != [y] || !rewrite.is_only_consumer(gradient, id) {
        return None;
    }
    let moved = rewrite.reserve(pooled_gradient);
    let nodes = vec![
        Node {
            operator: Arc::new(function),
            inputs: vec![pool.outputs[0], pooled_gradient],
            outputs: vec![moved],
            name: activation.name,
        },
        Node { inputs: vec![moved, taps], outputs: activation.outputs, ..spread },
    ];
    if !rewrite.fits(&nodes) {
        return None;
    }
    rewrite.replace(vec![Group { members: vec![spread_id, id], nodes }])
}

/// Fuses max pooling with the batch norm in front of it, and the gradient of both if there is one.
pub(super) fn fuse(rewrite: &mut Rewrite<'_>, id: Slot) -> Option<()> {
    let Windows::Sliding(pool) = rewrite.operator::<MaxPool2d>(id)?.0 else { return None };
    let pool_node = rewrite.node(id).clone();
    let (y, taps) = (pool_node.inputs[0], pool_node.outputs[1]);
    let (norm_id, 0) = rewrite.producer(y)? else { return None };
    let norm_node = rewrite.node(norm_id).clone();
    let x = norm_node.inputs[0];
    if !pools(&pool, rewrite.graph.shape_of(x)) || !rewrite.is_only_consumer(y, id) {
        return None;
    }
    let (norm, activation) = match rewrite.operator::<Chain>(norm_id) {
        Some(Chain { head, links, .. }) => {
            let [link] = &links[..] else { return None };
            (*downcast::<BatchNormTrain>(head)?, Some(*downcast::<Unary>(&link.operator)?))
        }
        None => (*rewrite.operator::<BatchNormTrain>(norm_id)?, None),
    };
    let statistics = norm_node.outputs[1];
    let new_taps =
        rewrite.reserve_of(format!("{}:taps", norm_node.name), pooled_taps(rewrite.graph.shape_of(x)));
    let mut outputs = norm_node.outputs.clone();
    outputs[0] = pool_node.outputs[0];
    outputs.push(new_taps);
    let mut groups = vec![Group {
        members: vec![norm_id, id],
        nodes: vec![Node {
            name: norm_node.name,
            operator: Arc::new(BatchNormMaxPool { norm, activation }),
            inputs: norm_node.inputs,
            outputs,
        }],
    }];
    for spread_id in rewrite.consumers(taps) {
        rewrite.operator::<MaxPool2dGrad>(spread_id)?;
        let spread = rewrite.node(spread_id);
        let &[grad_id] = &rewrite.consumers(spread.outputs[0])[..] else { return None };
        let gradient = rewrite.operator::<BatchNormGrad>(grad_id)?.clone();
        let node = rewrite.node(grad_id).clone();
        if node.inputs != [x, spread.outputs[0], statistics] {
            return None;
        }
        groups.push(Group {
            members: vec![spread_id, grad_id],
            nodes: vec![Node {
                operator: Arc::new(BatchNormMaxPoolGrad(gradient)),
                inputs: vec![x, spread.inputs[0], statistics, new_taps],
                ..node
            }],
        });
    }
    if !groups.iter().all(|group| rewrite.fits(&group.nodes)) {
        return None;
    }
    rewrite.replace(groups)
}

fn downcast<T: Operator>(operator: &Arc<dyn Operator>) -> Option<&T> {
    let operator: &dyn std::any::Any = operator.as_ref();
    operator.downcast_ref()
}
