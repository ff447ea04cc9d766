//! The rules of shapes and axes, which known and computed tensors share.

use crate::ops::slice::SliceAxis;
use crate::tensor::Shape;

/// Axes that may count from the end, as numbers of dimensions.
pub(super) fn axes(given: &[i64], rank: usize) -> Result<Vec<usize>, String> {
    check_rank(given.len().max(rank))?;
    let mut found = Vec::with_capacity(given.len());
    for &given in given {
        let axis = axis(given, rank)?;
        if found.contains(&axis) {
            return Err(format!("axis {given} is given twice"));
        }
        found.push(axis);
    }
    Ok(found)
}

/// An axis that may count from the end.
pub(super) fn axis(given: i64, rank: usize) -> Result<usize, String> {
    let from = if given < 0 { given.checked_add(rank as i64) } else { Some(given) };
    from.and_then(|axis| usize::try_from(axis).ok())
        .filter(|&axis| axis < rank)
        .ok_or_else(|| format!("axis {given} is outside {rank} dimensions"))
}

/// The most dimensions of a tensor. A graph's operators have fewer.
const MOST_DIMENSIONS: usize = 64;

/// Fails for more dimensions than any tensor has: lists of axes are searched one by one.
pub(super) fn check_rank(rank: usize) -> Result<(), String> {
    if rank <= MOST_DIMENSIONS {
        return Ok(());
    }
    Err(format!("{rank} dimensions are too many; at most {MOST_DIMENSIONS} are supported"))
}

/// The shape that `Reshape` makes: 0 takes the input's size, -1 what is left.
pub(super) fn reshaped(from: &Shape, to: &[i64], allow_zero: bool) -> Result<Shape, String> {
    check_rank(to.len())?;
    let mut open = None;
    let mut sizes = Vec::with_capacity(to.len());
    for (d, &size) in to.iter().enumerate() {
        sizes.push(match size {
            -1 if open.replace(d).is_some() => return Err(format!("{to:?} has more than one -1")),
            -1 => 1,
            0 if !allow_zero => *from
                .get(d)
                .ok_or_else(|| format!("{to:?} takes a dimension {d} that {from} does not have"))?,
            size => usize::try_from(size).map_err(|_| format!("{to:?} has a negative size"))?,
        });
    }
    if let Some(open) = open {
        let rest = sizes.iter().fold(1usize, |all, &size| all.saturating_mul(size));
        if rest == 0 || !from.elements().is_multiple_of(rest) {
            return Err(format!("{from} can't be reshaped to {to:?}"));
        }
        sizes[open] = from.elements() / rest;
    }
    let shape = Shape::from(sizes);
    if shape.elements() != from.elements() {
        return Err(format!("{from} has {} elements and can't be reshaped to {to:?}", from.elements()));
    }
    Ok(shape)
}

/// A shape without these axes of size 1, or without all such axes.
pub(super) fn squeezed(shape: &Shape, given: Option<&[i64]>) -> Result<Shape, String> {
    let axes = match given {
        Some(given) => axes(given, shape.len())?,
        None => (0..shape.len()).filter(|&d| shape[d] == 1).collect(),
    };
    if let Some(&axis) = axes.iter().find(|&&axis| shape[axis] != 1) {
        return Err(format!("axis {axis} of {shape} has not size 1"));
    }
    let kept = (0..shape.len()).filter(|d| !axes.contains(d)).map(|d| shape[d]);
    Ok(Shape::from(kept.collect::<Vec<_>>()))
}

/// A shape with axes of size 1 at these places of the result.
pub(super) fn unsqueezed(shape: &Shape, given: &[i64]) -> Result<Shape, String> {
    let rank = shape.len() + given.len();
    let axes = axes(given, rank)?;
    let mut rest = shape.iter();
    let size =
        |d: usize| if axes.contains(&d) { 1 } else { *rest.next().expect("the other axes are the shape's") };
    Ok(Shape::from((0..rank).map(size).collect::<Vec<_>>()))
}

/// The slice of each dimension.
pub(super) fn sliced(
    shape: &Shape,
    starts: &[i64],
    ends: &[i64],
    given: Option<&[i64]>,
    steps: Option<&[i64]>,
) -> Result<Vec<SliceAxis>, String> {
    let count = starts.len();
    let axes = match given {
        Some(given) => axes(given, shape.len())?,
        None => (0..count).collect(),
    };
    if ends.len() != count
        || axes.len() != count
        || steps.is_some_and(|steps| steps.len() != count)
        || count > shape.len()
    {
        return Err(format!("starts, ends, axes and steps of a slice of {shape} differ in number"));
    }
    let mut parts: Vec<SliceAxis> = shape.iter().map(|&size| SliceAxis::whole(size)).collect();
    for (i, &axis) in axes.iter().enumerate() {
        let (size, step) = (shape[axis] as i64, steps.map_or(1, |steps| steps[i]));
        let from_end = |at: i64| if at < 0 { at.saturating_add(size) } else { at };
        let [first, last] = if step > 0 { [0, size] } else { [-1, size - 1] };
        let (start, end) =
            (from_end(starts[i]).clamp(first.max(0).min(last), last), from_end(ends[i]).clamp(first, last));
        let distance = if step > 0 { end - start } else { start - end };
        let each = step.unsigned_abs();
        if each == 0 {
            return Err("a step of a slice is 0".into());
        }
        let size = (distance.max(0) as u64).div_ceil(each) as usize;
        let step = isize::try_from(step).unwrap_or(if step > 0 { isize::MAX } else { isize::MIN });
        parts[axis] =
            SliceAxis { start: start.max(0) as usize, step: if size <= 1 { 1 } else { step }, size };
    }
    Ok(parts)
}

/// The sizes of the parts of an axis: those given, or equal ones with a smaller last.
pub(super) fn split_sizes(size: usize, given: Option<&[i64]>, parts: usize) -> Result<Vec<usize>, String> {
    if let Some(given) = given {
        let sizes: Option<Vec<usize>> = given.iter().map(|&part| usize::try_from(part).ok()).collect();
        let total =
            sizes.as_ref().map(|sizes| sizes.iter().fold(0usize, |all, &part| all.saturating_add(part)));
        return match (sizes, total) {
            (Some(sizes), Some(total)) if total == size && sizes.len() == parts => Ok(sizes),
            _ => Err(format!("parts {given:?} are not {parts} that make up {size}")),
        };
    }
    if parts == 0 {
        return Err("has no outputs".into());
    }
    let each = size.div_ceil(parts);
    Ok((0..parts).map(|i| size.saturating_sub(i * each).min(each)).collect())
}

/// The shape of a gathered tensor: the axis is replaced by the shape of the indices.
pub(super) fn gathered(shape: &Shape, axis: usize, indices: &Shape) -> Shape {
    Shape::from([&shape[..axis], indices, &shape[axis + 1..]].concat())
}

/// The axes that a reduction goes over and the shape that it makes; `None` if it changes nothing.
pub(super) fn reduced(
    shape: &Shape,
    given: Option<&[i64]>,
    keepdims: bool,
    noop: bool,
) -> Result<Option<(Vec<usize>, Shape)>, String> {
    let axes = match given {
        Some(given) if !given.is_empty() => axes(given, shape.len())?,
        _ if noop => return Ok(None),
        _ => (0..shape.len()).collect(),
    };
    let kept = (0..shape.len()).filter(|d| keepdims || !axes.contains(d));
    let sizes: Vec<usize> = kept.map(|d| if axes.contains(&d) { 1 } else { shape[d] }).collect();
    Ok(Some((axes, Shape::from(sizes))))
}

/// Elements of some dimensions.
pub(super) fn elements(part: &[usize]) -> Result<usize, String> {
    part.iter()
        .try_fold(1usize, |size, &d| size.checked_mul(d))
        .ok_or_else(|| format!("dimensions {part:?} have more elements than can be counted"))
}
