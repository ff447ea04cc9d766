//! Resize and Upsample. The graph's own operators serve the usual rules of positions. All others are linear along each
//! axis, so that a product with a matrix of shares (`resample.rs`) computes them, or are choices of elements.

use super::node::{Node, one};
use super::parts::take;
use super::products::product;
use super::resample::{Axis, Coordinates, Interpolation, Rounding};
use super::{Held, Outcome};
use crate::file::printable;
use crate::graph::{Graph, Value};
use crate::onnx::rules::axes;
use crate::ops::upsample;
use crate::tensor::{HostTensor, Shape};

/// Positions and interpolation of a node.
struct Rule {
    coordinates: Coordinates,
    interpolation: Interpolation,
    extrapolation: f32,
}

pub(super) fn upsample(node: &mut Node<'_, '_, '_>) -> Outcome<Vec<Held>> {
    let shape = node.shape(0)?;
    let scales: Vec<f64> = match node.attributes.maybe_floats("scales")? {
        Some(scales) => scales.iter().map(|&scale| scale.into()).collect(),
        None => node.host(1)?.to_f64(),
    };
    let interpolation = match node.attributes.string("mode", "nearest")? {
        "nearest" => Interpolation::Nearest(Rounding::Floor),
        "linear" | "bilinear" => Interpolation::Linear { antialias: false },
        other => return Err(format!("mode \"{}\" is not supported", printable(other)).into()),
    };
    let all: Vec<usize> = (0..shape.len()).collect();
    let axes = scaled(&shape, &all, &scales)?;
    resized(node, axes, &Rule { coordinates: Coordinates::Asymmetric, interpolation, extrapolation: 0.0 })
}

pub(super) fn resize(node: &mut Node<'_, '_, '_>) -> Outcome<Vec<Held>> {
    let shape = node.shape(0)?;
    let old = node.opset() < 11;
    let given = match node.attributes.ints("axes")? {
        Some(given) => axes(given, shape.len())?,
        None => (0..shape.len()).collect(),
    };
    let (at_scales, at_sizes) = if old { (1, 3) } else { (2, 3) };
    // An empty list is one that is not given.
    let scales = node.maybe_host(at_scales)?.filter(|scales| scales.elements() > 0);
    let policy = node.attributes.string("keep_aspect_ratio_policy", "stretch")?;
    let mut sides = match scales {
        Some(scales) => scaled(&shape, &given, &scales.to_f64())?,
        None => {
            let sizes = node.maybe_ints(at_sizes)?.ok_or("it has neither scales nor sizes")?;
            sized(&shape, &given, &sizes, policy)?
        }
    };
    let rule = Rule {
        coordinates: if old { Coordinates::Asymmetric } else { coordinates(node)? },
        interpolation: interpolation(node, old)?,
        extrapolation: node.attributes.float("extrapolation_value", 0.0)?,
    };
    let regions = if old { None } else { node.maybe_host(1)? };
    if rule.coordinates == Coordinates::Crop {
        let regions = regions.ok_or("its roi is missing")?.to_f64();
        if regions.len() != 2 * given.len() {
            return Err(format!("roi has {} numbers for {} axes", regions.len(), given.len()).into());
        }
        for (i, side) in sides.iter_mut().enumerate() {
            side.region = [regions[i], regions[i + given.len()]];
        }
    }
    resized(node, sides, &rule)
}

fn coordinates(node: &Node<'_, '_, '_>) -> Outcome<Coordinates> {
    Ok(match node.attributes.string("coordinate_transformation_mode", "half_pixel")? {
        "half_pixel" => Coordinates::HalfPixel,
        "half_pixel_symmetric" => Coordinates::HalfPixelSymmetric,
        "pytorch_half_pixel" => Coordinates::PytorchHalfPixel,
        "align_corners" => Coordinates::AlignCorners,
        "asymmetric" => Coordinates::Asymmetric,
        "tf_crop_and_resize" => Coordinates::Crop,
        other => {
            return Err(
                format!("coordinate_transformation_mode \"{}\" is not supported", printable(other)).into()
            );
        }
    })
}

fn interpolation(node: &Node<'_, '_, '_>, old: bool) -> Outcome<Interpolation> {
    let rounding = match node.attributes.string("nearest_mode", "round_prefer_floor")? {
        _ if old => Rounding::Floor,
        "round_prefer_floor" => Rounding::PreferFloor,
        "round_prefer_ceil" => Rounding::PreferCeil,
        "floor" => Rounding::Floor,
        "ceil" => Rounding::Ceil,
        other => return Err(format!("nearest_mode \"{}\" is not known", printable(other)).into()),
    };
    let antialias = node.attributes.flag("antialias", false)?;
    let (a, exclude_outside) =
        (node.attributes.float("cubic_coeff_a", -0.75)?, node.attributes.flag("exclude_outside", false)?);
    Ok(match node.attributes.string("mode", "nearest")? {
        "nearest" => Interpolation::Nearest(rounding),
        "linear" | "bilinear" => Interpolation::Linear { antialias },
        "cubic" => Interpolation::Cubic { a: a.into(), antialias, exclude_outside },
        other => return Err(format!("mode \"{}\" is not known", printable(other)).into()),
    })
}

/// Axes with these factors.
fn scaled(shape: &Shape, axes: &[usize], scales: &[f64]) -> Outcome<Vec<Axis>> {
    if scales.len() != axes.len() {
        return Err(format!("{} scales for {} axes", scales.len(), axes.len()).into());
    }
    let axis = |(&axis, &scale): (&usize, &f64)| {
        // In f32, as the scale is: 10 times 0.7 is 7, and less in f64.
        let output = (shape[axis] as f32 * scale as f32).floor();
        if !(1.0..=(1 << 24) as f32).contains(&output) {
            return Err(format!("a scale of {scale} makes {output} of {} elements", shape[axis]));
        }
        Ok(Axis { axis, input: shape[axis], output: output as usize, scale, region: [0.0, 1.0] })
    };
    Ok(axes.iter().zip(scales).map(axis).collect::<Result<Vec<_>, String>>()?)
}

/// Axes of these sizes.
fn sized(shape: &Shape, axes: &[usize], sizes: &[i64], policy: &str) -> Outcome<Vec<Axis>> {
    if sizes.len() != axes.len() || sizes.iter().any(|size| !(1..=1 << 24).contains(size)) {
        return Err(format!("sizes {sizes:?} don't fit {} axes", axes.len()).into());
    }
    let scale = |(&axis, &size): (&usize, &i64)| size as f64 / shape[axis] as f64;
    let scales = axes.iter().zip(sizes).map(scale);
    let common = match policy {
        "stretch" => None,
        "not_larger" => scales.clone().reduce(f64::min),
        "not_smaller" => scales.clone().reduce(f64::max),
        other => return Err(format!("keep_aspect_ratio_policy \"{}\" is not known", printable(other)).into()),
    };
    let axis = |((&axis, &size), scale): ((&usize, &i64), f64)| {
        let input = shape[axis];
        let (scale, output) = match common {
            Some(scale) => (scale, (scale * input as f64).round() as usize),
            None => (scale, size as usize),
        };
        Axis { axis, input, output: output.max(1), scale, region: [0.0, 1.0] }
    };
    Ok(axes.iter().zip(sizes).zip(scales.clone()).map(axis).collect())
}

fn resized(node: &mut Node<'_, '_, '_>, mut axes: Vec<Axis>, rule: &Rule) -> Outcome<Vec<Held>> {
    let (shape, mut x) = (node.shape(0)?, node.value(0)?);
    // What keeps its size and its positions is left as it is.
    axes.retain(|axis| !(axis.input == axis.output && axis.scale == 1.0 && axis.region == [0.0, 1.0]));
    if let Some(resize) = own(&shape, &axes, rule) {
        return Ok(one(match rule.interpolation {
            Interpolation::Nearest(_) => node.g().upsample_nearest2d(x, resize)?,
            _ => node.g().upsample_bilinear2d(x, resize, rule.coordinates == Coordinates::AlignCorners)?,
        }));
    }
    for axis in &axes {
        x = match rule.interpolation {
            Interpolation::Nearest(rounding) if rule.coordinates != Coordinates::Crop => {
                let list = axis.nearest(rule.coordinates, rounding);
                take(node.g(), x, axis.axis, list)?
            }
            _ => along(node.g(), x, axis, rule)?,
        };
    }
    Ok(one(x))
}

/// The size for the graph's own operators, if they compute the same.
fn own(shape: &Shape, axes: &[Axis], rule: &Rule) -> Option<upsample::Resize> {
    if shape.len() != 4 || axes.is_empty() || axes.iter().any(|axis| axis.axis < 2) {
        return None;
    }
    let mut size = [shape[2], shape[3]];
    axes.iter().for_each(|axis| size[axis.axis - 2] = axis.output);
    // Positions follow from the two sizes there.
    let exact = |axis: &Axis| {
        (axis.scale * axis.input as f64 - axis.output as f64).abs() <= 1e-6 * axis.output as f64
    };
    let same = |axis: &Axis| match (rule.interpolation, rule.coordinates) {
        (Interpolation::Nearest(rounding), coordinates) if coordinates != Coordinates::Crop => {
            let step = axis.input as f32 / axis.output as f32;
            let own = |o: usize| ((o as f32 * step) as usize).min(axis.input - 1);
            axis.nearest(coordinates, rounding).iter().enumerate().all(|(o, &i)| own(o) == i as usize)
        }
        (Interpolation::Linear { antialias }, Coordinates::HalfPixel | Coordinates::HalfPixelSymmetric) => {
            exact(axis) && (!antialias || axis.output >= axis.input)
        }
        (
            Interpolation::Linear { antialias: false },
            Coordinates::PytorchHalfPixel | Coordinates::AlignCorners,
        ) => exact(axis) && axis.output > 1,
        _ => false,
    };
    axes.iter().all(same).then_some(upsample::Resize::Size(size))
}

/// Resizes one axis by its matrix.
fn along(g: &mut Graph, x: Value, axis: &Axis, rule: &Rule) -> Outcome<Value> {
    if axis.input.saturating_mul(axis.output) > 1 << 24 {
        return Err(format!(
            "resizing {} to {} elements by this rule is not supported",
            axis.input, axis.output
        )
        .into());
    }
    let (matrix, outside) = axis.matrix(rule.coordinates, rule.interpolation);
    let matrix = g.constant(HostTensor::f32([axis.input, axis.output], matrix)?)?;
    let rank = g.shape_of(x).len();
    let mut order: Vec<usize> = (0..rank).collect();
    order.swap(axis.axis, rank - 1);
    let last = g.permute(x, order.clone())?;
    let mut y = product(g, last, matrix)?;
    if outside.contains(&true) {
        let amounts = outside.iter().map(|&outside| if outside { rule.extrapolation } else { 0.0 }).collect();
        let amounts = g.constant(HostTensor::f32([axis.output], amounts)?)?;
        y = g.add(y, amounts)?;
    }
    Ok(g.permute(y, order)?)
}
