//! Fuses chains of element-wise operators into the kernel that makes their first input.

use super::{Group, Rewrite, Slot};
use crate::graph::{Node, Value};
use crate::op::{Argument, EpilogueOp, IndexMap, Operator, Pointwise};
use crate::ops::chain::Chain;
use crate::ops::reshape::Reshape;
use crate::tensor::TensorType;
use std::sync::Arc;

/// The most operators in one epilogue. Compile times grow with a kernel's length, and long before this one memory no
/// longer matters.
const LONGEST: usize = 32;

/// Fuses an element-wise node into the node that makes one of its inputs.
pub(super) fn fuse(rewrite: &mut Rewrite<'_>, id: Slot) -> Option<()> {
    let joined = join(rewrite, id)?;
    // Now perhaps nothing else reads what the joined node reads.
    let (place, _) = rewrite.producer(joined)?;
    let _ = absorb(rewrite, place);
    Some(())
}

/// Returns the output of the joined node.
fn join(rewrite: &mut Rewrite<'_>, id: Slot) -> Option<Value> {
    let node = rewrite.node(id).clone();
    let pointwise = node.operator.pointwise(&types(rewrite, &node.inputs))?;
    through(&node.inputs, &pointwise).into_iter().find_map(|value| {
        let mut members = vec![id];
        let head = follow(rewrite, value, &mut members)?;
        let link = link(rewrite, &node.operator, &pointwise, &node.inputs, value);
        let result = node.outputs[0];
        let mut output = result;
        let mut views = Vec::new();
        if members.len() > 2 {
            // There were views in between: the result becomes a view of the head's new output.
            output = rewrite.reserve(rewrite.node(head).outputs[0]);
            views.push(Node {
                name: node.name.clone(),
                operator: Arc::new(Reshape { shape: rewrite.graph.shape_of(result).clone() }),
                inputs: vec![output],
                outputs: vec![result],
            });
        }
        extend(rewrite, head, vec![Arc::new(link)], output, members, views).map(|()| output)
    })
}

/// Fuses a chain with an element-wise head into the node that makes the head's input. Links that read that input too
/// take it as the chain keeps it: `x * sigmoid(x)` behind a convolution that makes x.
fn absorb(rewrite: &mut Rewrite<'_>, id: Slot) -> Option<()> {
    let node = rewrite.node(id).clone();
    let chain = rewrite.operator::<Chain>(id)?.clone();
    let inputs = &node.inputs[..chain.head_inputs];
    let pointwise = chain.head.pointwise(&types(rewrite, inputs))?;
    through(inputs, &pointwise).into_iter().find_map(|value| {
        let mut members = vec![id];
        let head = follow(rewrite, value, &mut members)?;
        if members.len() > 2 {
            return None;
        }
        let mut first = link(rewrite, &chain.head, &pointwise, inputs, value);
        let mut links = vec![];
        for link in &chain.links {
            let mut link = EpilogueOp::clone(link);
            for (input, index_map) in link.inputs.iter_mut().zip(&link.pointwise.index_map) {
                if *input == Argument::Tensor(value) {
                    if *index_map != IndexMap::Same {
                        return None;
                    }
                    *input = Argument::Kept;
                    first.keeps = true;
                }
            }
            links.push(Arc::new(link));
        }
        // A chain keeps one value at a time.
        if first.keeps && chain.links.iter().any(|link| link.keeps) {
            return None;
        }
        links.insert(0, Arc::new(first));
        extend(rewrite, head, links, node.outputs[0], members, vec![])
    })
}

fn types<'g>(rewrite: &'g Rewrite<'_>, values: &[Value]) -> Vec<&'g TensorType> {
    values.iter().map(|&value| &rewrite.graph.info(value).ty).collect()
}

/// Inputs that an operator reads element by element, the newest first, because then the others exist already.
fn through(inputs: &[Value], pointwise: &Pointwise) -> Vec<Value> {
    let reads = || inputs.iter().zip(&pointwise.index_map);
    let whole = |value: Value| reads().all(|(&input, map)| input != value || *map == IndexMap::Same);
    let mut values: Vec<Value> = inputs.iter().copied().filter(|&value| whole(value)).collect();
    values.sort();
    values.dedup();
    values.reverse();
    values
}

/// An operator as a link, whose chain makes `value`.
fn link(
    rewrite: &Rewrite<'_>,
    operator: &Arc<dyn Operator>,
    pointwise: &Pointwise,
    inputs: &[Value],
    value: Value,
) -> EpilogueOp {
    let argument = |&input: &Value| if input == value { Argument::Chain } else { Argument::Tensor(input) };
    let shape = rewrite.graph.shape_of(value).clone();
    EpilogueOp::new(Arc::clone(operator), pointwise.clone(), inputs.iter().map(argument).collect(), shape)
}

/// Puts links behind a node, which then makes `output`, and `views` behind it.
fn extend(
    rewrite: &mut Rewrite<'_>,
    head: Slot,
    links: Vec<Arc<EpilogueOp>>,
    output: Value,
    members: Vec<Slot>,
    views: Vec<Node>,
) -> Option<()> {
    let mut node = rewrite.node(head).clone();
    let mut chain = match rewrite.operator::<Chain>(head) {
        Some(chain) => chain.clone(),
        None => Chain::new(&node),
    };
    if chain.links.len() + links.len() > LONGEST {
        return None;
    }
    node.outputs[0] = output;
    let operands: Vec<Value> = links.iter().flat_map(|link| link.tensors()).collect();
    // Each operand of a link adds at most one binding. They are counted exactly only if that might be too many.
    chain.operands = chain.operands.saturating_add(operands.len());
    chain.links.extend(links);
    node.inputs.extend(operands);
    node.operator = Arc::new(chain.clone());
    if chain.operands > rewrite.most_operands() {
        chain.operands = rewrite.operands(&node).filter(|&operands| operands <= rewrite.most_operands())?;
        node.operator = Arc::new(chain);
    }
    rewrite.replace(vec![Group { members, nodes: [node].into_iter().chain(views).collect() }])
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
        if node.operator.has_epilogue() || node.operator.pointwise(&types(rewrite, &node.inputs)).is_some() {
            return Some(producer);
        }
        if !node.operator.is_view() {
            return None;
        }
        value = node.inputs[0];
    }
}
