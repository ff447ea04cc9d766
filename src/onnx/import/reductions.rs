//! Sums, means, extremes, norms and products along axes, and the index of an extreme.

use super::node::{Node, one};
use super::{Held, Outcome};
use crate::graph::{Graph, Value};
use crate::onnx::rules::{axis, reduced};

pub(super) fn reduce(node: &mut Node<'_, '_, '_>) -> Outcome<Vec<Held>> {
    let (keepdims, noop) =
        (node.attributes.flag("keepdims", true)?, node.attributes.flag("noop_with_empty_axes", false)?);
    let (shape, x) = (node.shape(0)?, node.value(0)?);
    let given = match node.attributes.ints("axes")? {
        Some(axes) => Some(axes.to_vec()),
        None => node.maybe_ints(1)?,
    };
    let found = reduced(&shape, given.as_deref(), keepdims, noop)?;
    let operator = node.operator();
    let g = node.g();
    let Some((axes, _)) = found.filter(|(axes, _)| !axes.is_empty()) else {
        // The sum of one element.
        return Ok(one(match operator {
            "ReduceL1" | "ReduceL2" => g.abs(x)?,
            "ReduceSumSquare" => g.mul(x, x)?,
            "ReduceLogSum" => g.log(x)?,
            _ => x,
        }));
    };
    Ok(one(match operator {
        "ReduceL1" => g.vector_norm(x, 1.0, &axes, keepdims)?,
        "ReduceL2" => g.vector_norm(x, 2.0, &axes, keepdims)?,
        "ReduceLogSum" => {
            let sum = g.sum(x, &axes, keepdims)?;
            g.log(sum)?
        }
        "ReduceLogSumExp" => {
            // Of differences to the largest, so that no exponential overflows.
            let largest = g.max(x, &axes, true)?;
            let largest = g.clamp(largest, Some(f32::MIN), Some(f32::MAX))?;
            let differences = g.sub(x, largest)?;
            let exponentials = g.exp(differences)?;
            let sum = g.sum(exponentials, &axes, true)?;
            let logarithm = g.log(sum)?;
            let y = g.add(logarithm, largest)?;
            without(g, y, &axes, keepdims)?
        }
        "ReduceMax" => g.max(x, &axes, keepdims)?,
        "ReduceMean" => g.mean(x, &axes, keepdims)?,
        "ReduceMin" => g.min(x, &axes, keepdims)?,
        "ReduceProd" => {
            let mut y = x;
            for &along in &axes {
                y = product(g, y, along)?;
            }
            without(g, y, &axes, keepdims)?
        }
        "ReduceSumSquare" => {
            let squares = g.mul(x, x)?;
            g.sum(squares, &axes, keepdims)?
        }
        _ => g.sum(x, &axes, keepdims)?,
    }))
}

/// Without axes of size 1, unless they are kept.
fn without(g: &mut Graph, y: Value, axes: &[usize], keepdims: bool) -> Outcome<Value> {
    if keepdims {
        return Ok(y);
    }
    let shape = g.shape_of(y).clone();
    let kept: Vec<usize> = (0..shape.len()).filter(|d| !axes.contains(d)).map(|d| shape[d]).collect();
    Ok(g.reshape(y, kept)?)
}

/// The product along an axis: halves are multiplied until one element is left.
fn product(g: &mut Graph, mut y: Value, along: usize) -> Outcome<Value> {
    loop {
        let size = g.shape_of(y)[along];
        let half = size / 2;
        if half == 0 {
            return Ok(y);
        }
        let first = g.slice(y, along, 0..half, 1)?;
        let second = g.slice(y, along, half..2 * half, 1)?;
        let mut next = g.mul(first, second)?;
        if size % 2 == 1 {
            let last = g.slice(y, along, size - 1..size, 1)?;
            next = g.concatenate(&[next, last], along)?;
        }
        y = next;
    }
}

pub(super) fn extreme_index(node: &mut Node<'_, '_, '_>) -> Outcome<Vec<Held>> {
    let (shape, x) = (node.shape(0)?, node.value(0)?);
    let along = axis(node.attributes.int("axis", 0)?, shape.len())?;
    let keepdims = node.attributes.flag("keepdims", true)?;
    if node.attributes.flag("select_last_index", false)? {
        return Err("select_last_index = 1 is not supported; the first of equals is chosen".into());
    }
    Ok(one(if node.operator() == "ArgMax" {
        node.g().argmax(x, Some(along), keepdims)?
    } else {
        node.g().argmin(x, Some(along), keepdims)?
    }))
}
