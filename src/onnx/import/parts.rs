//! Parts of tensors, and what is put together of them.

use super::node::{Node, one};
use super::{Held, Outcome};
use crate::file::printable;
use crate::graph::{Graph, Value};
use crate::onnx::rules::{axes, axis, elements, gathered, sliced, split_sizes};
use crate::ops::pad::PadMode;
use crate::ops::slice::{Slice, SliceAxis};
use crate::tensor::{DType, HostTensor};

pub(super) fn concatenate(node: &mut Node<'_, '_, '_>) -> Outcome<Vec<Held>> {
    let mut values = Vec::with_capacity(node.count());
    let along = axis(node.attributes.int("axis", 0)?, node.shape(0)?.len())?;
    for i in 0..node.count() {
        // What is empty adds nothing.
        if node.shape(i)?.elements() > 0 {
            values.push(node.value(i)?);
        }
    }
    match values[..] {
        [only] => Ok(one(only)),
        _ => Ok(one(node.g().concatenate(&values, along)?)),
    }
}

pub(super) fn split(node: &mut Node<'_, '_, '_>) -> Outcome<Vec<Held>> {
    node.attributes.ignore(&["num_outputs"]);
    let (shape, x) = (node.shape(0)?, node.value(0)?);
    let along = axis(node.attributes.int("axis", 0)?, shape.len())?;
    let given = match node.attributes.ints("split")? {
        Some(sizes) => Some(sizes.to_vec()),
        None => node.maybe_ints(1)?,
    };
    let sizes = split_sizes(shape[along], given.as_deref(), node.outputs())?;
    let mut start = 0;
    let mut parts = Vec::with_capacity(sizes.len());
    for (i, &size) in sizes.iter().enumerate() {
        // A part that nobody reads needs no node.
        parts.push(if node.wants(i) {
            Held::Value(node.g().slice(x, along, start..start + size, 1)?)
        } else {
            Held::Failed(String::new())
        });
        start += size;
    }
    Ok(parts)
}

pub(super) fn slice(node: &mut Node<'_, '_, '_>) -> Outcome<Vec<Held>> {
    let shape = node.shape(0)?;
    let list = |node: &Node<'_, '_, '_>, name: &str, i: usize| match node.attributes.ints(name)? {
        Some(list) => Ok(Some(list.to_vec())),
        None => node.maybe_ints(i),
    };
    let starts = list(node, "starts", 1)?.ok_or("its starts are missing")?;
    let ends = list(node, "ends", 2)?.ok_or("its ends are missing")?;
    let (axes, steps) = (list(node, "axes", 3)?, node.maybe_ints(4)?);
    let parts = sliced(&shape, &starts, &ends, axes.as_deref(), steps.as_deref())?;
    let x = node.value(0)?;
    Ok(one(sliced_value(node.g(), x, parts)?))
}

/// A slice, or the value itself if all of it is taken.
fn sliced_value(g: &mut Graph, x: Value, parts: Vec<SliceAxis>) -> Outcome<Value> {
    let whole = parts.iter().zip(g.shape_of(x).iter()).all(|(part, &size)| *part == SliceAxis::whole(size));
    if whole { Ok(x) } else { Ok(g.apply1(Slice { axes: parts }, &[x])?) }
}

pub(super) fn gather(node: &mut Node<'_, '_, '_>) -> Outcome<Vec<Held>> {
    let (shape, indices_shape) = (node.shape(0)?, node.shape(1)?);
    let along = axis(node.attributes.int("axis", 0)?, shape.len())?;
    let result = gathered(&shape, along, &indices_shape);
    let x = node.weight(0)?;
    let indices = match node.held(1)? {
        Held::Value(value) if node.g().info(value).ty.dtype == DType::I32 => value,
        Held::Value(_) => return Err("its indices must be integers".into()),
        _ => {
            let list = node.maybe_ints(1)?.ok_or("its indices are missing")?;
            let size = shape[along] as i64;
            let list: Vec<i64> =
                list.iter().map(|&i| if i < 0 { i.saturating_add(size) } else { i }).collect();
            if let Some(wrong) = list.iter().find(|i| !(0..size).contains(*i)) {
                return Err(format!("index {wrong} is outside of {size}").into());
            }
            if let Some(part) = run(&list) {
                let mut parts: Vec<SliceAxis> = shape.iter().map(|&size| SliceAxis::whole(size)).collect();
                parts[along] = part;
                let y = sliced_value(node.g(), x, parts)?;
                return Ok(one(if node.shape_of(y) == result { y } else { node.g().reshape(y, result)? }));
            }
            let list = list.iter().map(|&i| i as i32).collect();
            let y = take(node.g(), x, along, list)?;
            return Ok(one(node.g().reshape(y, result)?));
        }
    };
    let y = take_at(node.g(), x, along, indices, indices_shape.elements())?;
    Ok(one(node.g().reshape(y, result)?))
}

/// The elements at these places of an axis.
pub(super) fn take(g: &mut Graph, x: Value, along: usize, list: Vec<i32>) -> Outcome<Value> {
    let count = list.len();
    let indices = g.constant(HostTensor::i32([count], list)?)?;
    take_at(g, x, along, indices, count)
}

fn take_at(g: &mut Graph, x: Value, along: usize, indices: Value, count: usize) -> Outcome<Value> {
    let shape = g.shape_of(x).clone();
    // Rows of a matrix whose rows lie along the axis.
    let order: Vec<usize> = std::iter::once(along).chain((0..shape.len()).filter(|&d| d != along)).collect();
    let front = g.permute(x, order.clone())?;
    let rest: usize = order[1..].iter().fold(1, |rest, &d| shape[d].saturating_mul(rest));
    let rows = g.reshape(front, [shape[along], rest])?;
    let indices = g.reshape(indices, [count])?;
    let taken = g.embedding(rows, indices)?;
    // (places, outer, inner) to (outer, places, inner).
    let outer = elements(&shape[..along])?;
    let apart = g.reshape(taken, [count, outer, rest / outer])?;
    let moved = g.permute(apart, [1, 0, 2])?;
    let mut sizes = shape.to_vec();
    sizes[along] = count;
    Ok(g.reshape(moved, sizes)?)
}

/// Indices that are equally far apart, as a slice.
fn run(list: &[i64]) -> Option<SliceAxis> {
    let &first = list.first()?;
    let step = list.get(1).map_or(1, |second| second - first);
    let equal = step != 0 && list.windows(2).all(|pair| pair[1] - pair[0] == step);
    equal.then_some(SliceAxis { start: first as usize, step: step as isize, size: list.len() })
}

pub(super) fn pad(node: &mut Node<'_, '_, '_>) -> Outcome<Vec<Held>> {
    let shape = node.shape(0)?;
    let rank = shape.len();
    let mode = match node.attributes.string("mode", "constant")? {
        "constant" => {
            let given = match node.attributes.maybe_float("value")? {
                Some(value) => Some(value),
                None => node.maybe_number(2)?,
            };
            PadMode::Constant(given.unwrap_or(0.0))
        }
        "reflect" => PadMode::Reflect,
        "edge" => PadMode::Replicate,
        "wrap" => PadMode::Circular,
        other => return Err(format!("mode \"{}\" is not known", printable(other)).into()),
    };
    let pads = match node.attributes.ints("pads")? {
        Some(pads) => pads.to_vec(),
        None => node.maybe_ints(1)?.ok_or("its pads are missing")?,
    };
    let along = match node.maybe_ints(3)? {
        Some(given) => axes(&given, rank)?,
        None => (0..rank).collect(),
    };
    if pads.len() != 2 * along.len() {
        return Err(format!("{} pads for {} axes", pads.len(), along.len()).into());
    }
    let mut amounts = vec![[0; 2]; rank];
    let mut parts: Vec<SliceAxis> = shape.iter().map(|&size| SliceAxis::whole(size)).collect();
    for (i, &d) in along.iter().enumerate() {
        for (side, &amount) in [pads[i], pads[i + along.len()]].iter().enumerate() {
            // A negative amount takes elements away.
            let size = usize::try_from(amount.unsigned_abs()).unwrap_or(usize::MAX);
            if amount >= 0 {
                amounts[d][side] = size;
                continue;
            }
            parts[d].size =
                parts[d].size.checked_sub(size).filter(|&rest| rest > 0).ok_or("pads leave nothing")?;
            parts[d].start += if side == 0 { size } else { 0 };
        }
    }
    let mut x = node.value(0)?;
    x = sliced_value(node.g(), x, parts)?;
    if amounts.iter().all(|sides| *sides == [0, 0]) {
        return Ok(one(x));
    }
    Ok(one(node.g().pad(x, amounts, mode)?))
}
