//! Fuses chains of element-wise operators into the kernel that makes their first input.

use super::{Group, Rewrite, Slot};
use crate::graph::{Node, Value};
use crate::op::{EpilogueOp, IndexMap};
use crate::ops::chain::Chain;
use crate::ops::reshape::Reshape;
use std::sync::Arc;

/// The most operators in one epilogue. Compile times grow with a kernel's length, and long before this one memory no
/// longer matters.
const LONGEST: usize = 32;

/// Fuses an element-wise node into the node that makes one of its inputs.
pub(super) fn fuse(rewrite: &mut Rewrite<'_>, id: Slot) -> Option<()> {
    let node = rewrite.node(id).clone();
    let types: Vec<_> = node.inputs.iter().map(|&value| &rewrite.graph.info(value).ty).collect();
    let pointwise = node.operator.pointwise(&types)?;
    let whole =
        node.inputs.iter().zip(&pointwise.index_map).filter(|&(_, &index_map)| index_map == IndexMap::Same);
    let mut through: Vec<Value> = whole.map(|(&value, _)| value).collect();
    // The newest input first, because then the other inputs exist already.
    through.sort();
    through.into_iter().rev().find_map(|value| {
        if node.inputs.iter().filter(|&&input| input == value).count() > 1 {
            return None;
        }
        let mut members = vec![id];
        let head = follow(rewrite, value, &mut members)?;
        let producer = rewrite.node(head).clone();
        let mut chain = match rewrite.operator::<Chain>(head) {
            Some(chain) => chain.clone(),
            None => Chain::new(&producer),
        };
        let inputs: Vec<_> = node.inputs.iter().map(|&input| (input != value).then_some(input)).collect();
        let mut all = producer.inputs.clone();
        all.extend(inputs.iter().flatten());
        if chain.links.len() >= LONGEST {
            return None;
        }
        // Each operand of a link adds at most one binding. They are counted exactly only if that might be too many.
        chain.operands = chain.operands.saturating_add(inputs.iter().flatten().count());
        chain.links.push(Arc::new(EpilogueOp {
            operator: Arc::clone(&node.operator),
            pointwise: pointwise.clone(),
            inputs,
            shape: rewrite.graph.shape_of(value).clone(),
        }));
        let result = node.outputs[0];
        let mut outputs = producer.outputs.clone();
        let mut nodes = Vec::new();
        if members.len() > 2 {
            // There were views in between: the result becomes a view of the head's new output.
            outputs[0] = rewrite.reserve(outputs[0]);
            nodes.push(Node {
                name: node.name.clone(),
                operator: Arc::new(Reshape { shape: rewrite.graph.shape_of(result).clone() }),
                inputs: vec![outputs[0]],
                outputs: vec![result],
            });
        } else {
            outputs[0] = result;
        }
        let mut node = Node { operator: Arc::new(chain.clone()), inputs: all, outputs, name: producer.name };
        if chain.operands > rewrite.most_operands() {
            chain.operands =
                rewrite.operands(&node).filter(|&operands| operands <= rewrite.most_operands())?;
            node.operator = Arc::new(chain);
        }
        nodes.insert(0, node);
        rewrite.replace(vec![Group { members, nodes }])
    })
}

/// The node that makes `value`, through views, if it can have an epilogue and nothing else reads its output. Adds the
/// nodes on the way to `members`.
fn follow(rewrite: &Rewrite<'_>, mut value: Value, members: &mut Vec<Slot>) -> Option<Slot> {
    loop {
        let (producer, 0) = rewrite.producer(value)? else { return None };
        if !rewrite.is_only_consumer(value, *members.last()?) {
            return None;
        }
        members.push(producer);
        let node = rewrite.node(producer);
        let types: Vec<_> = node.inputs.iter().map(|&input| &rewrite.graph.info(input).ty).collect();
        if node.operator.has_epilogue() || node.operator.pointwise(&types).is_some() {
            return Some(producer);
        }
        if !node.operator.is_view() {
            return None;
        }
        value = node.inputs[0];
    }
}
