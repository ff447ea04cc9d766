//! Normalisations.

use super::elementwise::with_number;
use super::message::{float, int, ints};
use super::node::Node;
use super::reductions::{deviations, over};
use super::walk::Made;
use crate::ops::batch_norm::{BatchNormEval, BatchNormTrain};
use crate::ops::local_response_norm::LocalResponseNorm;
use crate::ops::row_norm::{RowNorm, Rows};

pub(super) fn batch(node: &mut Node<'_, '_>, norm: &BatchNormEval) -> Result<Made, String> {
    node.fixed_from(1)?;
    node.batch_outside([1], "normalises")?;
    let (x, channels) = (node.input(0), node.shape(0)[1]);
    let mut parameters: Vec<String> = (1..node.inputs()).map(|i| node.input(i)).collect();
    if !norm.affine {
        let [weight, bias] = [1.0, 0.0].map(|fill| node.floats(&[channels], vec![fill; channels]));
        parameters.splice(0..0, [weight, bias]);
    }
    let mut inputs = vec![x.as_str()];
    inputs.extend(parameters.iter().map(String::as_str));
    let y = node.op("BatchNormalization", &inputs, vec![float("epsilon", norm.norm.eps)]);
    Ok(node.like_input(y))
}

/// Batch norm without running statistics, which normalises by those of the batch in evaluation too.
pub(super) fn of_this_batch(node: &mut Node<'_, '_>, norm: &BatchNormTrain) -> Result<Made, String> {
    if norm.tracked {
        return Err("updates running statistics; build the network in Mode::Eval".into());
    }
    node.fixed_from(1)?;
    node.batch_outside([1], "normalises")?;
    let (x, shape) = (node.input(0), node.shape(0));
    let others: Vec<usize> = (0..shape.len()).filter(|&axis| axis != 1).collect();
    let deviations = deviations(node, &x, &others);
    let squares = node.op("Mul", &[&deviations, &deviations], vec![]);
    let variance = over(node, "ReduceMean", &squares, &others, true);
    let variance = with_number(node, "Add", &variance, norm.norm.eps);
    let deviation = node.op("Sqrt", &[&variance], vec![]);
    let mut y = node.op("Div", &[&deviations, &deviation], vec![]);
    if norm.affine {
        y = for_each_channel(node, "Mul", &y, 1);
        y = for_each_channel(node, "Add", &y, 2);
    }
    Ok(node.like_input(y))
}

/// An operator on `x` and a number for each channel, which input `i` has.
fn for_each_channel(node: &mut Node<'_, '_>, operator: &str, x: &str, i: usize) -> String {
    let (mut each, rank) = (node.input(i), node.shape(0).len());
    if rank > 2 {
        let mut shape = vec![1; rank - 1];
        shape[0] = node.shape(0)[1];
        let shape = node.sizes(&shape);
        each = node.op("Reshape", &[&each, &shape], vec![]);
    }
    node.op(operator, &[x, &each], vec![])
}

pub(super) fn rows(node: &mut Node<'_, '_>, norm: &RowNorm) -> Result<Made, String> {
    node.fixed_from(1)?;
    let (x, shape) = (node.input(0), node.shape(0));
    let epsilon = float("epsilon", norm.eps);
    let weight = norm.weight.then_some(1);
    let bias = norm.bias.then_some(1 + usize::from(norm.weight));
    // The file's name of a parameter, or ones or zeros.
    let parameter = |node: &mut Node<'_, '_>, input: Option<usize>, shape: &[usize], fill: f32| match input {
        Some(i) => node.input(i),
        None => node.floats(shape, vec![fill; shape.iter().product()]),
    };
    let y = match &norm.rows {
        Rows::Layer { normalized_shape } => {
            let first = shape.len() - normalized_shape.len();
            node.batch_outside(first..shape.len(), "normalises")?;
            let weight = parameter(node, weight, normalized_shape, 1.0);
            let bias = bias.map(|i| node.input(i));
            let inputs: Vec<&str> = [x.as_str(), &weight].into_iter().chain(bias.as_deref()).collect();
            node.op("LayerNormalization", &inputs, vec![int("axis", first as i64), epsilon])
        }
        Rows::Instance => {
            node.batch_outside(1..shape.len(), "normalises")?;
            let channels = [shape[1]];
            let (weight, bias) =
                (parameter(node, weight, &channels, 1.0), parameter(node, bias, &channels, 0.0));
            // ONNX wants a dimension behind the channels.
            node.op("InstanceNormalization", &[&x, &weight, &bias], vec![epsilon])
        }
        Rows::Group { groups } => {
            node.batch_outside(1..shape.len(), "normalises")?;
            // A group is a row of one channel; weights come after, because a row has several.
            let rows = [shape[0], *groups, shape[1..].iter().product::<usize>() / groups];
            let rows = node.open_shape(&rows, node.batch(0));
            let grouped = node.op("Reshape", &[&x, &rows], vec![]);
            let ones = node.floats(&[*groups], vec![1.0; *groups]);
            let zeros = node.floats(&[*groups], vec![0.0; *groups]);
            let normal = node.op("InstanceNormalization", &[&grouped, &ones, &zeros], vec![epsilon]);
            let back = node.open_shape(shape, node.batch(0));
            let mut y = node.op("Reshape", &[&normal, &back], vec![]);
            if let Some(i) = weight {
                y = for_each_channel(node, "Mul", &y, i);
            }
            if let Some(i) = bias {
                y = for_each_channel(node, "Add", &y, i);
            }
            y
        }
    };
    Ok(node.like_input(y))
}

/// ONNX's own operator has windows whose middle is a channel; for others the mean of squares is a pooling over channels.
pub(super) fn local_response(node: &mut Node<'_, '_>, norm: &LocalResponseNorm) -> Result<Made, String> {
    let &LocalResponseNorm { size, alpha, beta, k } = norm;
    node.batch_outside([1], "normalises")?;
    let (x, shape) = (node.input(0), node.shape(0));
    let own = size % 2 == 1 && size < 2 * shape[1] && alpha > 0.0 && beta > 0.0;
    if own && shape.len() == 4 {
        let attributes =
            vec![int("size", size as i64), float("alpha", alpha), float("beta", beta), float("bias", k)];
        let y = node.op("LRN", &[&x], attributes);
        return Ok(node.like_input(y));
    }
    node.batch_outside(2..shape.len(), "normalises")?;
    let squares = node.op("Mul", &[&x, &x], vec![]);
    let planes = [shape[0], 1, shape[1], shape[2..].iter().product()];
    let planes = node.open_shape(&planes, node.batch(0));
    let squares = node.op("Reshape", &[&squares, &planes], vec![]);
    // Past the first and the last channel there are only zeros.
    let (before, after) = ((size / 2).min(shape[1] - 1), ((size - 1) / 2).min(shape[1] - 1));
    let window = before + after + 1;
    let attributes = vec![
        ints("kernel_shape", &[window, 1]),
        ints("pads", &[before, 0, after, 0]),
        int("count_include_pad", 1),
    ];
    let means = node.op("AveragePool", &[&squares], attributes);
    let back = node.open_shape(shape, node.batch(0));
    let means = node.op("Reshape", &[&means, &back], vec![]);
    let scales = with_number(node, "Mul", &means, alpha * (window as f64 / size as f64) as f32);
    let scales = with_number(node, "Add", &scales, k);
    let scales = with_number(node, "Pow", &scales, beta);
    let y = node.op("Div", &[&x, &scales], vec![]);
    Ok(node.like_input(y))
}
