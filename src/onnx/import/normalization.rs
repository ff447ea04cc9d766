//! Normalisations: of batches, instances, groups, layers, neighbouring channels.

use super::node::{Node, one};
use super::{Held, Outcome};
use crate::graph::{Mode, Value};
use crate::onnx::rules::{axes, axis, elements};
use crate::ops::batch_norm::{Momentum, Running};
use crate::ops::local_response_norm::LocalResponseNormOptions;

pub(super) fn batch(node: &mut Node<'_, '_, '_>) -> Outcome<Vec<Held>> {
    // What the file was exported for; the import's mode decides.
    node.attributes.ignore(&["training_mode", "spatial"]);
    let (eps, momentum) = (node.attributes.float("epsilon", 1e-5)?, node.attributes.float("momentum", 0.9)?);
    let x = node.value(0)?;
    let affine = [node.weight(1)?, node.weight(2)?];
    let (mean, variance) = (node.state(3)?, node.state(4)?);
    // ONNX's momentum is the old statistics' share. The difference in f64 is rounded as the exporter's number was.
    let share = (1.0 - f64::from(momentum)) as f32;
    let share = if (share - 0.1).abs() < 1e-6 { 0.1 } else { share };
    let running = Running { mean, variance, momentum: Momentum::Share(share) };
    let mode = if node.g().keeps_statistics() { Mode::Eval } else { node.mode() };
    Ok(one(node.g().batch_norm(x, Some(affine), Some(running), eps, mode)?))
}

pub(super) fn instance(node: &mut Node<'_, '_, '_>) -> Outcome<Vec<Held>> {
    let eps = node.attributes.float("epsilon", 1e-5)?;
    let (x, weight, bias) = (node.value(0)?, node.weight(1)?, node.weight(2)?);
    Ok(one(node.g().instance_norm(x, Some(weight), Some(bias), eps)?))
}

pub(super) fn group(node: &mut Node<'_, '_, '_>) -> Outcome<Vec<Held>> {
    node.attributes.ignore(&["stash_type"]);
    let eps = node.attributes.float("epsilon", 1e-5)?;
    let given = node.attributes.int("num_groups", 0)?;
    let groups =
        usize::try_from(given).map_err(|_| format!("num_groups must be at least 1, found {given}"))?;
    let (shape, x) = (node.shape(0)?, node.value(0)?);
    let (weight, bias) = (node.weight(1)?, node.weight(2)?);
    if node.opset() >= 21 {
        return Ok(one(node.g().group_norm(x, groups, Some(weight), Some(bias), eps)?));
    }
    // Weight and bias have an element for each group.
    let y = node.g().group_norm(x, groups, None, None, eps)?;
    let grouped = node.g().reshape(y, [shape[0], groups, elements(&shape[1..])? / groups])?;
    let (weight, bias) = (node.g().reshape(weight, [groups, 1])?, node.g().reshape(bias, [groups, 1])?);
    let scaled = node.g().mul(grouped, weight)?;
    let shifted = node.g().add(scaled, bias)?;
    Ok(one(node.g().reshape(shifted, shape)?))
}

pub(super) fn layer(node: &mut Node<'_, '_, '_>) -> Outcome<Vec<Held>> {
    node.attributes.ignore(&["stash_type"]);
    let eps = node.attributes.float("epsilon", 1e-5)?;
    let (shape, x) = (node.shape(0)?, node.value(0)?);
    let first = axis(node.attributes.int("axis", -1)?, shape.len())?;
    let (weight, bias) = (node.weight(1)?, node.maybe_weight(2)?);
    let normalized = &shape[first..];
    let whole = |value: Value, node: &Node<'_, '_, '_>| node.shape_of(value)[..] == *normalized;
    let y = if whole(weight, node) && bias.is_none_or(|bias| whole(bias, node)) {
        node.g().layer_norm(x, normalized, Some(weight), bias, eps)?
    } else {
        let y = node.g().layer_norm(x, normalized, None, None, eps)?;
        let y = node.g().mul(y, weight)?;
        match bias {
            Some(bias) => node.g().add(y, bias)?,
            None => y,
        }
    };
    let mut made = one(y);
    let axes: Vec<usize> = (first..shape.len()).collect();
    if node.wants(1) {
        made.push(Held::Value(node.g().mean(x, &axes, true)?));
    }
    if node.wants(2) {
        let variance = node.g().variance(x, &axes, 0, true)?;
        let shifted = node.g().shift(variance, eps)?;
        made.push(Held::Value(node.g().pow(shifted, -0.5)?));
    }
    Ok(made)
}

pub(super) fn rms(node: &mut Node<'_, '_, '_>) -> Outcome<Vec<Held>> {
    node.attributes.ignore(&["stash_type"]);
    let eps = node.attributes.float("epsilon", 1e-5)?;
    let (shape, x, weight) = (node.shape(0)?, node.value(0)?, node.weight(1)?);
    let first = axis(node.attributes.int("axis", -1)?, shape.len())?;
    let axes: Vec<usize> = (first..shape.len()).collect();
    let g = node.g();
    let squares = g.mul(x, x)?;
    let mean = g.mean(squares, &axes, true)?;
    let shifted = g.shift(mean, eps)?;
    let inverse = g.pow(shifted, -0.5)?;
    let y = g.mul(x, inverse)?;
    Ok(one(g.mul(y, weight)?))
}

pub(super) fn mean_variance(node: &mut Node<'_, '_, '_>) -> Outcome<Vec<Held>> {
    let (shape, x) = (node.shape(0)?, node.value(0)?);
    let axes = axes(node.attributes.ints("axes")?.unwrap_or(&[0, 2, 3]), shape.len())?;
    let g = node.g();
    let mean = g.mean(x, &axes, true)?;
    let variance = g.variance(x, &axes, 0, true)?;
    let deviation = g.sqrt(variance)?;
    let shifted = g.shift(deviation, 1e-9)?;
    let centred = g.sub(x, mean)?;
    Ok(one(g.div(centred, shifted)?))
}

pub(super) fn lp(node: &mut Node<'_, '_, '_>) -> Outcome<Vec<Held>> {
    let p = node.attributes.int("p", 2)?;
    if !matches!(p, 1 | 2) {
        return Err(format!("p must be 1 or 2, found {p}").into());
    }
    let (shape, x) = (node.shape(0)?, node.value(0)?);
    let along = axis(node.attributes.int("axis", -1)?, shape.len())?;
    let g = node.g();
    // Squares of tiny numbers are zero and those of huge ones infinite, so the row's largest magnitude becomes 1 first. A row
    // of zeros stays zeros: its norm alone is below 1.
    let largest = g.vector_norm(x, f32::INFINITY, &[along], true)?;
    let largest = g.clamp(largest, Some(f32::MIN_POSITIVE), None)?;
    let scaled = g.div(x, largest)?;
    let norm = g.vector_norm(scaled, p as f32, &[along], true)?;
    let norm = g.clamp(norm, Some(0.5), None)?;
    Ok(one(g.div(scaled, norm)?))
}

pub(super) fn local_response(node: &mut Node<'_, '_, '_>) -> Outcome<Vec<Held>> {
    let given = node.attributes.int("size", 0)?;
    let size = usize::try_from(given).map_err(|_| format!("size must be at least 1, found {given}"))?;
    let options = LocalResponseNormOptions::new(size)
        .alpha(node.attributes.float("alpha", 1e-4)?)
        .beta(node.attributes.float("beta", 0.75)?)
        .k(node.attributes.float("bias", 1.0)?);
    let x = node.value(0)?;
    if size % 2 == 1 {
        return Ok(one(node.g().local_response_norm(x, options)?));
    }
    // An even window has its odd channel on the other side than PyTorch's.
    let g = node.g();
    let flipped = g.flip(x, &[1])?;
    let y = g.local_response_norm(flipped, options)?;
    Ok(one(g.flip(y, &[1])?))
}
