//! Losses, and how many predictions are right.

use super::elementwise::with_number;
use super::message::{FLOAT, INT64, UINT32, int};
use super::node::Node;
use super::walk::Made;
use crate::ops::correct::CorrectPredictions;
use crate::ops::cross_entropy::{ClassScores, CrossEntropy};
use crate::ops::in_top_k::InTopK;
use crate::ops::loss::{ElementLoss, ElementReduction, Loss};
use crate::ops::losses::Reduction;

pub(super) fn elementwise(node: &mut Node<'_, '_>, loss: &Loss) -> Result<Made, String> {
    let (x, t) = (&node.input(0), &node.input(1));
    let losses = match loss.element {
        ElementLoss::Mse => {
            let difference = node.op("Sub", &[x, t], vec![]);
            node.op("Mul", &[&difference, &difference], vec![])
        }
        ElementLoss::L1 | ElementLoss::SmoothL1 { beta: 0.0 } => distance(node, x, t),
        ElementLoss::SmoothL1 { beta } => {
            let distance = distance(node, x, t);
            let straight = with_number(node, "Sub", &distance, beta / 2.0);
            bent_below(node, &distance, "Less", beta, 0.5 / beta, &straight)
        }
        ElementLoss::Huber { delta } => {
            let distance = distance(node, x, t);
            let straight = with_number(node, "Sub", &distance, delta / 2.0);
            let straight = with_number(node, "Mul", &straight, delta);
            bent_below(node, &distance, "LessOrEqual", delta, 0.5, &straight)
        }
        ElementLoss::BceWithLogits => {
            let one = node.number(1.0);
            let others = node.op("Sub", &[&one, t], vec![]);
            let others = node.op("Mul", &[&others, x], vec![]);
            let negative = node.op("Neg", &[x], vec![]);
            let mut bent = node.op("Softplus", &[&negative], vec![]);
            if node.inputs() > 2 {
                // 1 + (weight - 1) t
                let weight = node.input(2);
                let excess = node.op("Sub", &[&weight, &one], vec![]);
                let excess = node.op("Mul", &[&excess, t], vec![]);
                let factor = node.op("Add", &[&one, &excess], vec![]);
                bent = node.op("Mul", &[&bent, &factor], vec![]);
            }
            node.op("Add", &[&others, &bent], vec![])
        }
        ElementLoss::KlDiv => {
            let zero = node.number(0.0);
            let logarithm = node.op("Log", &[t], vec![]);
            let own = node.op("Mul", &[t, &logarithm], vec![]);
            let none = node.op("Equal", &[t, &zero], vec![]);
            let own = node.op("Where", &[&none, &zero, &own], vec![]);
            let cross = node.op("Mul", &[t, x], vec![]);
            node.op("Sub", &[&own, &cross], vec![])
        }
        ElementLoss::KlDivOfLogarithms => {
            let probability = node.op("Exp", &[t], vec![]);
            let difference = node.op("Sub", &[t, x], vec![]);
            node.op("Mul", &[&probability, &difference], vec![])
        }
    };
    if node.inputs() > 2 {
        node.batch(2)
            .map_or(Ok(()), |_| Err("a weight may not depend on the batch, whose size is left open"))?;
    }
    batched_alike(node)?;
    let whole = |name: String| Made { name, batch: None };
    Ok(match loss.reduction {
        ElementReduction::None => node.like_input(losses),
        ElementReduction::Mean => whole(over_all(node, "ReduceMean", &losses)),
        ElementReduction::Sum => whole(over_all(node, "ReduceSum", &losses)),
        ElementReduction::BatchMean => {
            // By the first dimension's size. Where that is the batch's, the size of the batch must not matter.
            let (first, rest) = (node.shape(0)[0], node.shape(0).iter().skip(1).product::<usize>());
            if node.batch(0).is_none_or(|batch| batch.axis == 0) {
                let mean = over_all(node, "ReduceMean", &losses);
                whole(with_number(node, "Mul", &mean, rest as f32))
            } else {
                let sum = over_all(node, "ReduceSum", &losses);
                whole(with_number(node, "Mul", &sum, 1.0 / first as f32))
            }
        }
    })
}

/// Fails if predictions and targets don't have the batch in the same dimension.
fn batched_alike(node: &Node<'_, '_>) -> Result<(), String> {
    if node.batch(0).map(|batch| batch.axis) == node.batch(1).map(|batch| batch.axis) {
        return Ok(());
    }
    Err("has the batch, whose size is left open, in one input and a fixed size in the other".into())
}

fn distance(node: &mut Node<'_, '_>, x: &str, t: &str) -> String {
    let difference = node.op("Sub", &[x, t], vec![]);
    node.op("Abs", &[&difference], vec![])
}

/// `factor distance^2` where the distance is below the bound, else `straight`.
fn bent_below(
    node: &mut Node<'_, '_>,
    distance: &str,
    below: &str,
    bound: f32,
    factor: f32,
    straight: &str,
) -> String {
    let square = node.op("Mul", &[distance, distance], vec![]);
    let square = with_number(node, "Mul", &square, factor);
    let near = with_number(node, below, distance, bound);
    node.op("Where", &[&near, &square, straight], vec![])
}

/// A reduction of all elements to one number.
fn over_all(node: &mut Node<'_, '_>, operator: &str, x: &str) -> String {
    node.op(operator, &[x], vec![int("keepdims", 0)])
}

pub(super) fn cross_entropy(node: &mut Node<'_, '_>, loss: &CrossEntropy) -> Result<Made, String> {
    node.batch_outside(1..node.shape(0).len(), "chooses classes")?;
    batched_alike(node)?;
    node.fixed_from(2)?;
    let (scores, labels) = (node.input(0), node.input(1));
    let classes = node.shape(0)[1];
    let logarithms = match loss.scores {
        ClassScores::Logits => node.op("LogSoftmax", &[&scores], vec![int("axis", 1)]),
        ClassScores::LogProbabilities => scores,
    };
    let [none, ignored, most] =
        [0, loss.ignore_index, classes as i32 - 1].map(|number| node.integers32(&[], vec![number]));
    let low = node.op("GreaterOrEqual", &[&labels, &none], vec![]);
    let high = node.op("LessOrEqual", &[&labels, &most], vec![]);
    let ignored = node.op("Equal", &[&labels, &ignored], vec![]);
    let other = node.op("Not", &[&ignored], vec![]);
    let within = node.op("And", &[&low, &high], vec![]);
    let counts = node.op("And", &[&within, &other], vec![]);
    // A label that does not count has loss 0; the first class stands for it until then.
    let safe = node.op("Where", &[&counts, &labels, &none], vec![]);
    let safe = node.cast(&safe, INT64);
    let second = node.sizes(&[1]);
    let column = node.op("Unsqueeze", &[&safe, &second], vec![]);
    let own = node.op("GatherElements", &[&logarithms, &column], vec![int("axis", 1)]);
    let mut own = node.op("Squeeze", &[&own, &second], vec![]);
    let zero = node.number(0.0);
    let weight = (node.inputs() > 2).then(|| node.input(2));
    let weights = weight.as_ref().map(|weight| node.op("Gather", &[weight, &safe], vec![int("axis", 0)]));
    if let Some(weights) = &weights {
        own = node.op("Mul", &[&own, weights], vec![]);
    }
    let smoothing = loss.label_smoothing;
    let mut losses = with_number(node, "Mul", &own, smoothing - 1.0);
    if smoothing > 0.0 {
        let mut each = logarithms;
        if let Some(weight) = &weight {
            let mut shape = vec![1; node.shape(0).len() - 1];
            shape[0] = classes;
            let shape = node.sizes(&shape);
            let weight = node.op("Reshape", &[weight, &shape], vec![]);
            each = node.op("Mul", &[&each, &weight], vec![]);
        }
        let sum = node.op("ReduceSum", &[&each, &second], vec![int("keepdims", 0)]);
        let spread = with_number(node, "Mul", &sum, smoothing / classes as f32);
        losses = node.op("Sub", &[&losses, &spread], vec![]);
    }
    let losses = node.op("Where", &[&counts, &losses, &zero], vec![]);
    let whole = |name: String| Made { name, batch: None };
    Ok(match loss.reduction {
        Reduction::None => {
            let batch =
                node.batch(1).map(|batch| batch.moved(node.shape(1), batch.axis, node.output_shape()));
            Made { name: losses, batch }
        }
        Reduction::Sum => whole(over_all(node, "ReduceSum", &losses)),
        Reduction::Mean => {
            let weights = weights.unwrap_or_else(|| node.number(1.0));
            let weights = node.op("Where", &[&counts, &weights, &zero], vec![]);
            let (sum, weights) =
                (over_all(node, "ReduceSum", &losses), over_all(node, "ReduceSum", &weights));
            let mean = node.op("Div", &[&sum, &weights], vec![]);
            // Where no label counts, the sum stays.
            let none = node.op("Equal", &[&weights, &zero], vec![]);
            whole(node.op("Where", &[&none, &sum, &mean], vec![]))
        }
    })
}

pub(super) fn correct(node: &mut Node<'_, '_>, _: &CorrectPredictions) -> Result<Made, String> {
    batched_alike(node)?;
    let (logits, labels) = (node.input(0), node.input(1));
    let labels = node.cast(&labels, INT64);
    let best = node.op("ArgMax", &[&logits], vec![int("axis", 1), int("keepdims", 0)]);
    let right = node.op("Equal", &[&best, &labels], vec![]);
    let right = node.cast(&right, INT64);
    let count = over_all(node, "ReduceSum", &right);
    let name = node.cast(&count, UINT32);
    Ok(Made { name, batch: None })
}

pub(super) fn in_top_k(node: &mut Node<'_, '_>, top: &InTopK) -> Result<Made, String> {
    node.batch_outside([1], "ranks")?;
    batched_alike(node)?;
    let (logits, labels) = (node.input(0), node.input(1));
    let second = node.sizes(&[1]);
    let labels = node.cast(&labels, INT64);
    let labels = node.op("Unsqueeze", &[&labels, &second], vec![]);
    let k = node.sizes(&[top.k.min(node.shape(0)[1])]);
    node.op("TopK", &[&logits, &k], vec![int("axis", 1)]);
    let likeliest = node.second_output_of_last();
    let equal = node.op("Equal", &[&likeliest, &labels], vec![]);
    let equal = node.cast(&equal, FLOAT);
    let name = node.op("ReduceMax", &[&equal, &second], vec![int("keepdims", 0)]);
    let batch = node.batch(1).map(|batch| batch.moved(node.shape(1), batch.axis, node.output_shape()));
    Ok(Made { name, batch })
}
