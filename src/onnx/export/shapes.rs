//! Operators that move elements: shapes, parts, padding, and rows by index.

use super::message::{FLOAT, INT32, int, ints, string};
use super::node::Node;
use super::walk::Made;
use crate::ops::byte_lookup::ByteLookup;
use crate::ops::concatenate::Concatenate;
use crate::ops::embedding::Embedding;
use crate::ops::expand::Expand;
use crate::ops::one_hot::OneHot;
use crate::ops::pad::{Pad, PadMode};
use crate::ops::permute::Permute;
use crate::ops::reshape::Reshape;
use crate::ops::slice::Slice;

pub(super) fn reshape(node: &mut Node<'_, '_>, reshape: &Reshape) -> Result<Made, String> {
    let x = node.input(0);
    let batch = match node.batch(0) {
        Some(batch) => Some(batch.reshaped(node.samples(), &reshape.shape).ok_or_else(|| {
            format!("divides the batch, whose size is left open, among dimensions of {}", reshape.shape)
        })?),
        None => None,
    };
    let shape = node.open_shape(&reshape.shape, batch);
    let name = node.op("Reshape", &[&x, &shape], vec![]);
    Ok(Made { name, batch })
}

pub(super) fn permute(node: &mut Node<'_, '_>, permute: &Permute) -> Result<Made, String> {
    let x = node.input(0);
    let name = node.op("Transpose", &[&x], vec![ints("perm", &permute.axes)]);
    let axis = node.batch(0).and_then(|batch| permute.axes.iter().position(|&axis| axis == batch.axis));
    Ok(Made { name, batch: axis.and_then(|axis| node.moved(axis)) })
}

pub(super) fn expand(node: &mut Node<'_, '_>, expand: &Expand) -> Result<Made, String> {
    let x = node.input(0);
    let mut shape = expand.shape.to_vec();
    let axis = node.batch(0).map(|batch| batch.axis + shape.len() - node.shape(0).len());
    if let Some(axis) = axis {
        // The input's own size stays.
        shape[axis] = 1;
    }
    let shape = node.sizes(&shape);
    let name = node.op("Expand", &[&x, &shape], vec![]);
    Ok(Made { name, batch: axis.and_then(|axis| node.moved(axis)) })
}

pub(super) fn concatenate(node: &mut Node<'_, '_>, concatenate: &Concatenate) -> Result<Made, String> {
    node.batch_outside([concatenate.axis], "concatenates")?;
    let place = |i: usize| node.batch(i).map(|batch| (batch.axis, batch.within(node.shape(i))));
    if let Some(i) = (0..node.inputs()).find(|&i| place(i) != place(0)) {
        return Err(format!("input {i} has not the batch, whose size is left open, where input 0 has it"));
    }
    let inputs: Vec<String> = (0..node.inputs()).map(|i| node.input(i)).collect();
    let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
    let y = node.op("Concat", &inputs, vec![int("axis", concatenate.axis as i64)]);
    Ok(node.like_input(y))
}

pub(super) fn slice(node: &mut Node<'_, '_>, slice: &Slice) -> Result<Made, String> {
    let (x, shape) = (node.input(0), node.shape(0));
    let whole = |axis: usize| {
        let along = &slice.axes[axis];
        (along.start, along.step, along.size) == (0, 1, shape[axis])
    };
    let cut: Vec<usize> = (0..shape.len()).filter(|&axis| !whole(axis)).collect();
    node.batch_outside(cut.iter().copied(), "takes a part")?;
    if cut.is_empty() {
        let y = node.op("Identity", &[&x], vec![]);
        return Ok(node.like_input(y));
    }
    let along = |of: &dyn Fn(usize) -> i64| cut.iter().map(|&axis| of(axis)).collect::<Vec<_>>();
    // A step that nothing takes may be of any size.
    let step = |axis: usize| if slice.axes[axis].size > 1 { slice.axes[axis].step as i64 } else { 1 };
    let starts = along(&|axis| slice.axes[axis].start as i64);
    let steps = along(&step);
    let ends = along(&|axis| {
        let part = &slice.axes[axis];
        let end = part.start as i64 + step(axis) * part.size as i64;
        // A negative number would count from the end.
        if end < 0 { i64::MIN } else { end }
    });
    let axes: Vec<i64> = cut.iter().map(|&axis| axis as i64).collect();
    let lists = [starts, ends, axes, steps].map(|list| node.integers(&list));
    let [starts, ends, axes, steps] = &lists;
    let y = node.op("Slice", &[&x, starts, ends, axes, steps], vec![]);
    Ok(node.like_input(y))
}

pub(super) fn pad(node: &mut Node<'_, '_>, pad: &Pad) -> Result<Made, String> {
    let (x, rank) = (node.input(0), node.shape(0).len());
    if pad.amounts.is_empty() {
        let y = node.op("Identity", &[&x], vec![]);
        return Ok(node.like_input(y));
    }
    let first = rank - pad.amounts.len();
    let padded = (first..rank).filter(|axis| pad.amounts[axis - first] != [0, 0]);
    node.batch_outside(padded, "pads")?;
    let amount = |side: usize| {
        (0..rank).map(move |axis| axis.checked_sub(first).map_or(0, |axis| pad.amounts[axis][side]))
    };
    let amounts: Vec<usize> = amount(0).chain(amount(1)).collect();
    let amounts = node.sizes(&amounts);
    let mut inputs = vec![x, amounts];
    let mode = match pad.mode {
        PadMode::Constant(fill) => {
            inputs.push(node.number(fill));
            "constant"
        }
        PadMode::Reflect => "reflect",
        PadMode::Replicate => "edge",
        PadMode::Circular => "wrap",
    };
    let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
    let y = node.op("Pad", &inputs, vec![string("mode", mode)]);
    Ok(node.like_input(y))
}

pub(super) fn embedding(node: &mut Node<'_, '_>, _: &Embedding) -> Result<Made, String> {
    let (weight, indices) = (node.input(0), node.input(1));
    if node.batch(0).is_some() {
        return Err("the weight may not depend on the batch, whose size is left open".into());
    }
    let name = node.op("Gather", &[&weight, &indices], vec![int("axis", 0)]);
    let batch = node.batch(1).map(|batch| batch.moved(node.shape(1), batch.axis, node.output_shape()));
    Ok(Made { name, batch })
}

/// A label of no class has zeros only, so the label is compared with each class.
pub(super) fn one_hot(node: &mut Node<'_, '_>, one_hot: &OneHot) -> Result<Made, String> {
    let labels = node.input(0);
    let last = node.sizes(&[node.shape(0).len()]);
    let labels = node.op("Unsqueeze", &[&labels, &last], vec![]);
    let classes = node.integers32(&[one_hot.classes], (0..one_hot.classes as i32).collect());
    let equal = node.op("Equal", &[&labels, &classes], vec![]);
    let y = node.cast(&equal, FLOAT);
    Ok(node.like_input(y))
}

pub(super) fn byte_lookup(node: &mut Node<'_, '_>, _: &ByteLookup) -> Result<Made, String> {
    node.fixed_from(1)?;
    node.batch_outside([1], "looks up")?;
    let (bytes, tables) = (node.input(0), node.input(1));
    let [rank, count] = [node.shape(0).len(), node.shape(1)[0]];
    let mut places = node.cast(&bytes, INT32);
    if count > 1 {
        // The tables one behind the other.
        let mut shape = vec![1; rank - 1];
        shape[0] = count;
        let starts = node.integers32(&shape, (0..count as i32).map(|table| 256 * table).collect());
        places = node.op("Add", &[&places, &starts], vec![]);
    }
    let all = node.integers(&[-1]);
    let numbers = node.op("Reshape", &[&tables, &all], vec![]);
    let y = node.op("Gather", &[&numbers, &places], vec![int("axis", 0)]);
    Ok(node.like_input(y))
}
