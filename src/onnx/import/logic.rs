//! Comparisons, logic, rounding and choices. Truth values that are computed are the f32 numbers 1 and 0 in the graph.

use super::node::{Node, one};
use super::{Held, Outcome};
use crate::graph::Value;
use crate::onnx::constant::broadcast;
use crate::tensor::Shape;

/// An input of floats, or of truth values as ones and zeros.
fn number_or_truth(node: &mut Node<'_, '_, '_>, i: usize) -> Outcome<Value> {
    match node.held(i)? {
        Held::Host(tensor) if tensor.as_bools().is_some() => {
            let data = tensor.to_f64().iter().map(|&x| x as f32).collect();
            node.numbers(tensor.shape.clone(), data)
        }
        _ => node.value(i),
    }
}

/// An input of truth values as ones and zeros. What is computed is that, or the file is no valid one.
fn truth(node: &mut Node<'_, '_, '_>, i: usize) -> Outcome<Value> {
    match node.held(i)? {
        Held::Host(tensor) if tensor.as_bools().is_none() => {
            Err(format!("input {i} must be truth values, found {}", tensor.element).into())
        }
        Held::Weight(_) => Err(format!("input {i} must be truth values, found floats").into()),
        _ => number_or_truth(node, i),
    }
}

pub(super) fn number(node: &mut Node<'_, '_, '_>, number: f32) -> Outcome<Value> {
    node.numbers(Shape::scalar(), vec![number])
}

pub(super) fn compare(node: &mut Node<'_, '_, '_>) -> Outcome<Vec<Held>> {
    let operator = node.operator();
    let (a, b) = if operator == "Equal" {
        (number_or_truth(node, 0)?, number_or_truth(node, 1)?)
    } else {
        (node.value(0)?, node.value(1)?)
    };
    let g = node.g();
    Ok(one(match operator {
        "Equal" => g.eq(a, b)?,
        "Less" => g.lt(a, b)?,
        "LessOrEqual" => g.le(a, b)?,
        "Greater" => g.gt(a, b)?,
        _ => g.ge(a, b)?,
    }))
}

pub(super) fn logic(node: &mut Node<'_, '_, '_>) -> Outcome<Vec<Held>> {
    let operator = node.operator();
    let a = truth(node, 0)?;
    if operator == "Not" {
        let zero = number(node, 0.0)?;
        return Ok(one(node.g().eq(a, zero)?));
    }
    let b = truth(node, 1)?;
    let g = node.g();
    Ok(one(match operator {
        "And" => g.mul(a, b)?,
        "Or" => g.maximum(a, b)?,
        _ => g.ne(a, b)?,
    }))
}

pub(super) fn classify(node: &mut Node<'_, '_, '_>) -> Outcome<Vec<Held>> {
    let x = node.value(0)?;
    if node.operator() == "IsNaN" {
        return Ok(one(node.g().is_nan(x)?));
    }
    let above = node.attributes.flag("detect_positive", true)?;
    let below = node.attributes.flag("detect_negative", true)?;
    if above && below {
        return Ok(one(node.g().is_inf(x)?));
    }
    // Without either, no number is equal to NaN.
    let sought = match (above, below) {
        (true, _) => f32::INFINITY,
        (_, true) => f32::NEG_INFINITY,
        _ => f32::NAN,
    };
    let sought = number(node, sought)?;
    Ok(one(node.g().eq(x, sought)?))
}

pub(super) fn round(node: &mut Node<'_, '_, '_>) -> Outcome<Vec<Held>> {
    let x = node.value(0)?;
    Ok(one(match node.operator() {
        "Ceil" => node.g().ceil(x)?,
        "Floor" => node.g().floor(x)?,
        "Round" => node.g().round(x)?,
        // Sign.
        _ => node.g().sign(x)?,
    }))
}

/// Activations that are zero near zero.
pub(super) fn shrink(node: &mut Node<'_, '_, '_>) -> Outcome<Vec<Held>> {
    let thresholded = node.operator() == "ThresholdedRelu";
    let limit = if thresholded {
        node.attributes.float("alpha", 1.0)?
    } else {
        node.attributes.float("lambd", 0.5)?
    };
    let x = node.value(0)?;
    let (zero, high) = (number(node, 0.0)?, number(node, limit)?);
    let above = node.g().gt(x, high)?;
    if thresholded {
        return Ok(one(node.g().where_(above, x, zero)?));
    }
    let bias = node.attributes.float("bias", 0.0)?;
    let low = number(node, -limit)?;
    let g = node.g();
    let (less, more) = (g.shift(x, -bias)?, g.shift(x, bias)?);
    let below = g.lt(x, low)?;
    let y = g.where_(above, less, zero)?;
    Ok(one(g.where_(below, more, y)?))
}

/// A known condition that is the same everywhere leaves one operand. Any other is a constant.
pub(super) fn choose(node: &mut Node<'_, '_, '_>) -> Outcome<Vec<Held>> {
    if let Held::Host(condition) = node.held(0)?
        && let Some(&[first, ref others @ ..]) = condition.as_bools()
        && others.iter().all(|x| *x == first)
    {
        let whole = broadcast(&broadcast(&condition.shape, &node.shape(1)?)?, &node.shape(2)?)?;
        let x = number_or_truth(node, if first { 1 } else { 2 })?;
        return Ok(one(if node.shape_of(x) == whole { x } else { node.g().expand(x, whole)? }));
    }
    let condition = truth(node, 0)?;
    let (a, b) = (number_or_truth(node, 1)?, number_or_truth(node, 2)?);
    Ok(one(node.g().where_(condition, a, b)?))
}
