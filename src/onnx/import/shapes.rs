//! The same elements under other shapes, in another order, or repeated.

use super::logic::number;
use super::node::{Node, one};
use super::{Held, Outcome, PLACES};
use crate::file::printable;
use crate::graph::{Graph, Value};
use crate::onnx::ElementType;
use crate::onnx::constant::broadcast;
use crate::onnx::rules::{axes, axis, elements, reshaped, squeezed, unsqueezed};
use crate::tensor::{DType, Shape};

/// The first input under another shape. Integers, such as labels, keep their type.
fn viewed(node: &mut Node<'_, '_, '_>, shape: Shape) -> Outcome<Vec<Held>> {
    let x = match node.held(0)? {
        Held::Value(value) => value,
        _ => node.value(0)?,
    };
    Ok(one(if node.shape_of(x) == shape { x } else { node.g().reshape(x, shape)? }))
}

pub(super) fn identity(node: &mut Node<'_, '_, '_>) -> Outcome<Vec<Held>> {
    Ok(vec![node.held(0)?])
}

/// What a cast makes.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Floats,
    Integers,
    Truth,
}

impl Kind {
    fn of(element: ElementType) -> Outcome<Kind> {
        match element {
            ElementType::Bool => Ok(Kind::Truth),
            ElementType::I32 | ElementType::I64 => Ok(Kind::Integers),
            _ if element.is_float() => Ok(Kind::Floats),
            _ => Err(format!("a cast of computed values to {element} is not supported").into()),
        }
    }
}

/// Floats of all widths are f32 in the graph, and integers i32, so that a cast among them is nothing. Truth values are the
/// floats 1 and 0.
pub(super) fn cast(node: &mut Node<'_, '_, '_>) -> Outcome<Vec<Held>> {
    node.attributes.ignore(&["saturate", "round_mode"]);
    let held = node.held(0)?;
    let to = if node.operator() == "Cast" {
        Kind::of(ElementType::of(node.attributes.int("to", 0)?)?)?
    } else {
        match node.held(1)? {
            Held::Host(tensor) => Kind::of(tensor.element)?,
            Held::Value(value) if node.g().info(value).ty.dtype != DType::F32 => Kind::Integers,
            _ => Kind::Floats,
        }
    };
    let from_floats = match &held {
        Held::Value(value) => node.g().info(*value).ty.dtype == DType::F32,
        Held::Host(tensor) => tensor.element.is_float(),
        Held::Indices(_) => return Err(PLACES.into()),
        _ => true,
    };
    if from_floats == (to == Kind::Integers) {
        return Err("a cast of computed values between integers and others is not supported".into());
    }
    if to == Kind::Truth {
        let (x, zero) = (node.value(0)?, number(node, 0.0)?);
        return Ok(one(node.g().ne(x, zero)?));
    }
    Ok(vec![held])
}

pub(super) fn reshape(node: &mut Node<'_, '_, '_>) -> Outcome<Vec<Held>> {
    let to = node.maybe_ints(1)?.ok_or("its shape is missing")?;
    let shape = reshaped(&node.shape(0)?, &to, node.attributes.flag("allowzero", false)?)?;
    viewed(node, shape)
}

pub(super) fn flatten(node: &mut Node<'_, '_, '_>) -> Outcome<Vec<Held>> {
    let shape = node.shape(0)?;
    let at = node.attributes.int("axis", 1)?;
    let at = if at == shape.len() as i64 { shape.len() } else { axis(at, shape.len())? };
    viewed(node, Shape::from([elements(&shape[..at])?, elements(&shape[at..])?]))
}

/// Axes as an attribute or as an input.
fn given_axes(node: &Node<'_, '_, '_>) -> Outcome<Option<Vec<i64>>> {
    match node.attributes.ints("axes")? {
        Some(axes) => Ok(Some(axes.to_vec())),
        None => node.maybe_ints(1),
    }
}

pub(super) fn squeeze(node: &mut Node<'_, '_, '_>) -> Outcome<Vec<Held>> {
    let axes = given_axes(node)?;
    let shape = squeezed(&node.shape(0)?, axes.as_deref())?;
    viewed(node, shape)
}

pub(super) fn unsqueeze(node: &mut Node<'_, '_, '_>) -> Outcome<Vec<Held>> {
    let axes = given_axes(node)?.ok_or("its axes are missing")?;
    let shape = unsqueezed(&node.shape(0)?, &axes)?;
    viewed(node, shape)
}

pub(super) fn transpose(node: &mut Node<'_, '_, '_>) -> Outcome<Vec<Held>> {
    let (shape, x) = (node.shape(0)?, node.value(0)?);
    let order = match node.attributes.ints("perm")? {
        Some(order) => axes(order, shape.len())?,
        None => (0..shape.len()).rev().collect(),
    };
    Ok(one(node.g().permute(x, order)?))
}

pub(super) fn expand(node: &mut Node<'_, '_, '_>) -> Outcome<Vec<Held>> {
    let to = node.maybe_ints(1)?.ok_or("its shape is missing")?;
    let sizes: Result<Vec<usize>, _> = to.iter().map(|&size| usize::try_from(size)).collect();
    let sizes = sizes.map_err(|_| format!("shape {to:?} has a negative size"))?;
    let (shape, x) = (node.shape(0)?, node.value(0)?);
    let wide = broadcast(&shape, &sizes)?;
    Ok(one(if wide == shape { x } else { node.g().expand(x, wide)? }))
}

pub(super) fn tile(node: &mut Node<'_, '_, '_>) -> Outcome<Vec<Held>> {
    let repeats = node.maybe_ints(1)?.ok_or("its repeats are missing")?;
    let (shape, mut y) = (node.shape(0)?, node.value(0)?);
    if repeats.len() != shape.len() {
        return Err(format!("{} repeats for {shape}", repeats.len()).into());
    }
    for (d, &given) in repeats.iter().enumerate() {
        let times =
            usize::try_from(given).map_err(|_| format!("repeats {repeats:?} have a negative number"))?;
        if times != 1 {
            y = repeated(node.g(), y, d, times)?;
        }
    }
    Ok(one(y))
}

/// `x`, so many times along a dimension: an expanded dimension in front of it.
fn repeated(g: &mut Graph, x: Value, d: usize, times: usize) -> Outcome<Value> {
    let shape = g.shape_of(x).clone();
    let (outer, inner) = (shape[..d].iter().product::<usize>(), shape[d..].iter().product::<usize>());
    let apart = g.reshape(x, [outer, 1, inner])?;
    let wide = g.expand(apart, [outer, times, inner])?;
    let mut sizes = shape.to_vec();
    sizes[d] = sizes[d].saturating_mul(times);
    Ok(g.reshape(wide, sizes)?)
}

/// Images and the size of blocks that divides their channels or their planes.
fn blocks(node: &mut Node<'_, '_, '_>) -> Outcome<(Value, [usize; 4], usize)> {
    let (shape, x) = (node.shape(0)?, node.value(0)?);
    let given = node.attributes.int("blocksize", 0)?;
    let block = usize::try_from(given).ok().filter(|&block| block > 0 && block < 1 << 16);
    let block = block.ok_or_else(|| format!("blocksize must be at least 1, found {given}"))?;
    match shape[..] {
        [n, c, h, w] => Ok((x, [n, c, h, w], block)),
        _ => Err(format!("expects (N, C, H, W), found {shape}").into()),
    }
}

pub(super) fn depth_to_space(node: &mut Node<'_, '_, '_>) -> Outcome<Vec<Held>> {
    let (x, [n, c, h, w], b) = blocks(node)?;
    if !c.is_multiple_of(b * b) {
        return Err(format!("blocks of {b} x {b} don't divide {c} channels").into());
    }
    let inner = c / (b * b);
    let (apart, order) = match node.attributes.string("mode", "DCR")? {
        "DCR" => ([n, b, b, inner, h, w], [0, 3, 4, 1, 5, 2]),
        "CRD" => ([n, inner, b, b, h, w], [0, 1, 4, 2, 5, 3]),
        other => return Err(format!("mode \"{}\" is not known", printable(other)).into()),
    };
    let g = node.g();
    let apart = g.reshape(x, apart)?;
    let moved = g.permute(apart, order)?;
    Ok(one(g.reshape(moved, [n, inner, h * b, w * b])?))
}

pub(super) fn space_to_depth(node: &mut Node<'_, '_, '_>) -> Outcome<Vec<Held>> {
    let (x, [n, c, h, w], b) = blocks(node)?;
    if !h.is_multiple_of(b) || !w.is_multiple_of(b) {
        return Err(format!("blocks of {b} x {b} don't divide planes of {h} x {w}").into());
    }
    let g = node.g();
    let apart = g.reshape(x, [n, c, h / b, b, w / b, b])?;
    let moved = g.permute(apart, [0, 3, 5, 1, 2, 4])?;
    Ok(one(g.reshape(moved, [n, c * b * b, h / b, w / b])?))
}
