//! Activations, softmax and dropout.

use super::node::{Node, one};
use super::{Held, Outcome};
use crate::file::printable;
use crate::graph::{Mode, Value};
use crate::onnx::rules::{axis, elements};
use crate::ops::unary::{SELU_ALPHA, SELU_SCALE};

/// Functions of one tensor, element by element.
pub(super) fn function(node: &mut Node<'_, '_, '_>) -> Outcome<Vec<Held>> {
    let x = node.value(0)?;
    let y = match node.operator() {
        "Relu" => node.g().relu(x)?,
        "Sigmoid" => node.g().sigmoid(x)?,
        "Tanh" => node.g().tanh(x)?,
        "HardSwish" => node.g().hard_swish(x)?,
        "Mish" => node.g().mish(x)?,
        "Softplus" => node.g().softplus(x, 1.0, 20.0)?,
        "Softsign" => {
            let size = node.g().abs(x)?;
            let divisor = node.g().shift(size, 1.0)?;
            node.g().div(x, divisor)?
        }
        "LeakyRelu" => {
            let slope = node.attributes.float("alpha", 0.01)?;
            node.g().leaky_relu(x, slope)?
        }
        "Elu" => {
            let alpha = node.attributes.float("alpha", 1.0)?;
            node.g().elu(x, alpha)?
        }
        "Celu" => {
            // max(x, 0) + min(alpha (exp(x / alpha) - 1), 0) is alpha times ELU of x / alpha.
            let alpha = node.attributes.float("alpha", 1.0)?;
            let scaled = node.g().scale(x, 1.0 / alpha)?;
            let y = node.g().elu(scaled, 1.0)?;
            node.g().scale(y, alpha)?
        }
        "Selu" => {
            let alpha = node.attributes.float("alpha", SELU_ALPHA as f32)?;
            let gamma = node.attributes.float("gamma", SELU_SCALE as f32)?;
            if (alpha, gamma) == (SELU_ALPHA as f32, SELU_SCALE as f32) {
                node.g().selu(x)?
            } else {
                let y = node.g().elu(x, alpha)?;
                node.g().scale(y, gamma)?
            }
        }
        "Gelu" => match node.attributes.string("approximate", "none")? {
            "none" => node.g().gelu(x)?,
            "tanh" => node.g().gelu_tanh(x)?,
            other => return Err(format!("approximate \"{}\" is not known", printable(other)).into()),
        },
        "HardSigmoid" => {
            let (alpha, beta) = (node.attributes.float("alpha", 0.2)?, node.attributes.float("beta", 0.5)?);
            if (alpha, beta) == (1.0 / 6.0, 0.5) {
                node.g().hard_sigmoid(x)?
            } else {
                let scaled = node.g().scale(x, alpha)?;
                let shifted = node.g().shift(scaled, beta)?;
                node.g().hard_tanh(shifted, 0.0, 1.0)?
            }
        }
        // Swish.
        _ => {
            let alpha = node.attributes.float("alpha", 1.0)?;
            if alpha == 1.0 {
                node.g().silu(x)?
            } else {
                let scaled = node.g().scale(x, alpha)?;
                let gate = node.g().sigmoid(scaled)?;
                node.g().mul(x, gate)?
            }
        }
    };
    Ok(one(y))
}

/// Bounds are attributes in old operator sets and inputs in new ones. Those that bound nothing are left out.
pub(super) fn clip(node: &mut Node<'_, '_, '_>) -> Outcome<Vec<Held>> {
    let bound = |node: &Node<'_, '_, '_>, name: &str, i: usize| -> Outcome<Option<f32>> {
        let given = match node.attributes.maybe_float(name)? {
            Some(bound) => Some(bound),
            None => node.maybe_number(i)?,
        };
        Ok(given)
    };
    let (min, max) = (bound(node, "min", 1)?, bound(node, "max", 2)?);
    let x = node.value(0)?;
    if min.is_some_and(f32::is_nan) || max.is_some_and(f32::is_nan) {
        return Err("a bound is NaN".into());
    }
    let (min, max) = (min.filter(|&x| x != f32::NEG_INFINITY), max.filter(|&x| x != f32::INFINITY));
    if min.is_none() && max.is_none() {
        return Ok(one(x));
    }
    Ok(one(node.g().clamp(x, min, max)?))
}

pub(super) fn prelu(node: &mut Node<'_, '_, '_>) -> Outcome<Vec<Held>> {
    let (shape, slope_shape) = (node.shape(0)?, node.shape(1)?);
    let (x, slope) = (node.value(0)?, node.weight(1)?);
    let channels = slope_shape.elements();
    // [C, 1, ...] or [1, C, 1, ...] broadcasts along the channels.
    let aligned = slope_shape.len() <= shape.len() && {
        let skipped = shape.len() - slope_shape.len();
        (0..slope_shape.len()).all(|d| slope_shape[d] == 1 || d + skipped == 1)
    };
    if channels == 1 || aligned {
        let slope = node.g().reshape(slope, [channels])?;
        return Ok(one(node.g().prelu(x, slope)?));
    }
    let g = node.g();
    let above = g.relu(x)?;
    let negative = g.neg(x)?;
    let below = g.relu(negative)?;
    let scaled = g.mul(below, slope)?;
    let y = g.sub(above, scaled)?;
    if node.shape_of(y) != shape {
        return Err(format!("slope {slope_shape} does not broadcast to {shape}").into());
    }
    Ok(one(y))
}

pub(super) fn softmax(node: &mut Node<'_, '_, '_>) -> Outcome<Vec<Held>> {
    let (shape, x) = (node.shape(0)?, node.value(0)?);
    let logarithm = node.operator() == "LogSoftmax";
    let build = |node: &mut Node<'_, '_, '_>, x: Value, along: usize| {
        if logarithm { node.g().log_softmax(x, along) } else { node.g().softmax(x, along) }
    };
    if node.opset() >= 13 {
        let along = axis(node.attributes.int("axis", -1)?, shape.len())?;
        return Ok(one(build(node, x, along)?));
    }
    // It goes over all dimensions from the axis on.
    let along = axis(node.attributes.int("axis", 1)?, shape.len())?;
    let flat = node.g().reshape(x, [elements(&shape[..along])?, elements(&shape[along..])?])?;
    let y = build(node, flat, 1)?;
    Ok(one(node.g().reshape(y, shape)?))
}

/// The import's mode decides whether units are dropped, not the file.
pub(super) fn dropout(node: &mut Node<'_, '_, '_>) -> Outcome<Vec<Held>> {
    node.attributes.ignore(&["seed", "is_test"]);
    let held = node.held(0)?;
    let p = match node.attributes.maybe_float("ratio")? {
        Some(ratio) => ratio,
        None => node.maybe_number(1)?.unwrap_or(0.5),
    };
    let (mode, seed) = (node.mode(), node.seed());
    if mode == Mode::Eval || p == 0.0 {
        return Ok(vec![held]);
    }
    let x = node.value(0)?;
    Ok(one(node.g().dropout(x, f64::from(p), seed, mode)?))
}
