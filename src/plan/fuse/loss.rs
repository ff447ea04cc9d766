//! Fuses cross-entropy with its gradient.

use super::{Group, Rewrite, Slot};
use crate::graph::Node;
use crate::ops::cross_entropy::{CrossEntropy, CrossEntropyGrad, CrossEntropyWithGrad};
use std::sync::Arc;

/// Fuses a gradient of cross-entropy with the loss.
pub(super) fn fuse(rewrite: &mut Rewrite<'_>, id: Slot) -> Option<()> {
    let forward = rewrite.operator::<CrossEntropyGrad>(id)?.forward;
    let gradient = rewrite.node(id).clone();
    let [logits, labels, count, dloss] = gradient.inputs[..] else { return None };
    let (loss_id, 1) = rewrite.producer(count)? else { return None };
    let loss = rewrite.node(loss_id).clone();
    if *rewrite.operator::<CrossEntropy>(loss_id)? != forward || loss.inputs != [logits, labels] {
        return None;
    }
    let types = [logits, labels].map(|value| &rewrite.graph.info(value).ty);
    if !forward.is_whole(&types) {
        return None;
    }
    let node = Node {
        name: loss.name,
        operator: Arc::new(CrossEntropyWithGrad { forward }),
        inputs: vec![logits, labels, dloss],
        outputs: [loss.outputs, gradient.outputs].concat(),
    };
    if !rewrite.fits(std::slice::from_ref(&node)) {
        return None;
    }
    rewrite.replace(vec![Group { members: vec![loss_id, id], nodes: vec![node] }])
}
