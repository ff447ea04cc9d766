//! Poolings. The graph's own serve windows with equal padding on both sides. Others get their padding as a node in
//! front, or are sums over windows times a constant.

use super::convolution::like_input;
use super::node::{Node, one};
use super::windows::{Windows, planes};
use super::{Held, Outcome};
use crate::graph::Value;
use crate::ops::conv2d::Conv2dOptions;
use crate::ops::pad::PadMode;
use crate::ops::pool2d::{AvgPool2dOptions, LpPool2dOptions, MaxPool2dOptions};
use crate::tensor::Shape;

/// An input with a height, its windows, and how many of them there are.
struct Pooling {
    x: Value,
    input: Shape,
    size: [usize; 2],
    windows: Windows,
    ceil: bool,
    outputs: [usize; 2],
}

impl Pooling {
    fn of(node: &mut Node<'_, '_, '_>) -> Outcome<Pooling> {
        let input = node.shape(0)?;
        let windows = Windows::of(node, &input, None)?;
        let ceil = node.attributes.flag("ceil_mode", false)?;
        let (size, x) = (planes(&input), with_height(node)?);
        let outputs = windows.outputs(size, ceil)?;
        Ok(Pooling { x, input, size, windows, ceil, outputs })
    }

    /// The padding on both sides, if it is what the graph's poolings take.
    fn symmetric(&self) -> Option<[usize; 2]> {
        let Windows { kernel, pads, .. } = self.windows;
        let fits = (0..2).all(|d| pads[d][0] == pads[d][1] && pads[d][0] <= kernel[d] / 2);
        fits.then(|| pads.map(|sides| sides[0]))
    }

    /// The input with its padding, after which the windows fit exactly.
    fn padded(&self, node: &mut Node<'_, '_, '_>, number: f32) -> Outcome<Value> {
        let sides = self.windows.explicit(self.size, self.outputs);
        if sides == [[0; 2]; 2] {
            return Ok(self.x);
        }
        Ok(node.g().pad(self.x, sides, PadMode::Constant(number))?)
    }
}

/// The first input with a height.
pub(super) fn with_height(node: &mut Node<'_, '_, '_>) -> Outcome<Value> {
    let (shape, x) = (node.shape(0)?, node.value(0)?);
    match shape[..] {
        [images, channels, length] => Ok(node.g().reshape(x, [images, channels, 1, length])?),
        _ => Ok(x),
    }
}

/// The largest of each window, and the places where they were, which MaxUnpool alone reads.
pub(super) fn max(node: &mut Node<'_, '_, '_>) -> Outcome<Vec<Held>> {
    // Only the places depend on it.
    let by_columns = node.attributes.flag("storage_order", false)?;
    let pooling = Pooling::of(node)?;
    let Windows { kernel, stride, dilation, .. } = pooling.windows;
    let options = MaxPool2dOptions::new(kernel).stride(stride).dilation(dilation);
    let (y, places) = match pooling.symmetric() {
        Some(padding) => {
            let options = options.padding(padding).ceil_mode(pooling.ceil);
            let (y, places) = node.g().max_pool2d_with_indices(pooling.x, options)?;
            let refused = || Held::Failed("places that are counted along columns are not supported".into());
            (y, if by_columns { refused() } else { Held::Indices(places) })
        }
        None => {
            let x = pooling.padded(node, f32::NEG_INFINITY)?;
            let y = node.g().max_pool2d(x, options)?;
            (y, Held::Failed("places of windows whose padding is uneven are not supported".into()))
        }
    };
    let y = like_input(node, y, &pooling.input)?;
    Ok(vec![Held::Value(y), places])
}

pub(super) fn average(node: &mut Node<'_, '_, '_>) -> Outcome<Vec<Held>> {
    let include = node.attributes.flag("count_include_pad", false)?;
    let pooling = Pooling::of(node)?;
    let Windows { kernel, stride, dilation, .. } = pooling.windows;
    let y = match pooling.symmetric().filter(|_| dilation == [1, 1]) {
        Some(padding) => {
            let options =
                AvgPool2dOptions::new(kernel).stride(stride).padding(padding).ceil_mode(pooling.ceil);
            node.g().avg_pool2d(pooling.x, options.count_include_pad(include))?
        }
        None => weighted(node, &pooling, include)?,
    };
    like_input(node, y, &pooling.input).map(one)
}

/// Averages as sums over windows, each divided by its own number of taps.
fn weighted(node: &mut Node<'_, '_, '_>, pooling: &Pooling, include: bool) -> Outcome<Value> {
    let x = pooling.padded(node, 0.0)?;
    let sums = window_sums(node, x, &pooling.windows)?;
    let [height, width] = pooling.outputs;
    if height.saturating_mul(width) > 1 << 24 {
        return Err(format!("averages of {height} x {width} windows by this rule are not supported").into());
    }
    let counts = [0, 1].map(|d| {
        let [before, after] = pooling.windows.pads[d];
        let inside = before + pooling.size[d];
        let (from, to) = if include { (0, inside + after) } else { (before, inside) };
        pooling.windows.taps_within(d, pooling.outputs[d], from, to)
    });
    let shares =
        counts[0].iter().flat_map(|rows| counts[1].iter().map(move |columns| 1.0 / (rows * columns) as f32));
    let shares: Vec<f32> = shares.collect();
    let shares = node.numbers([1, 1, height, width], shares)?;
    Ok(node.g().mul(sums, shares)?)
}

/// The sum of each window that lies within the input, as a convolution of each channel with ones.
fn window_sums(node: &mut Node<'_, '_, '_>, x: Value, windows: &Windows) -> Outcome<Value> {
    let channels = node.shape_of(x)[1];
    let [height, width] = windows.kernel;
    let count = channels.saturating_mul(height).saturating_mul(width);
    if count > 1 << 24 {
        return Err(format!("windows of {height} x {width} over {channels} channels are too large").into());
    }
    let ones = node.numbers([channels, 1, height, width], vec![1.0; count])?;
    let options = Conv2dOptions::new().stride(windows.stride).dilation(windows.dilation).groups(channels);
    Ok(node.g().conv2d(x, ones, None, options)?)
}

pub(super) fn lp(node: &mut Node<'_, '_, '_>) -> Outcome<Vec<Held>> {
    let p = node.attributes.int("p", 2)?;
    if p < 1 {
        return Err(format!("p must be at least 1, found {p}").into());
    }
    let pooling = Pooling::of(node)?;
    let x = pooling.padded(node, 0.0)?;
    // The norm is one of magnitudes, and the graph's pooling keeps signs if p is odd.
    let x = if p % 2 == 1 { node.g().abs(x)? } else { x };
    let Windows { kernel, stride, dilation, .. } = pooling.windows;
    let y = if dilation == [1, 1] {
        node.g().lp_pool2d(x, p as f32, LpPool2dOptions::new(kernel).stride(stride))?
    } else {
        let powers = if p == 1 { x } else { node.g().pow(x, p as f32)? };
        let sums = window_sums(node, powers, &pooling.windows)?;
        if p == 1 { sums } else { node.g().pow(sums, 1.0 / p as f32)? }
    };
    like_input(node, y, &pooling.input).map(one)
}

pub(super) fn global(node: &mut Node<'_, '_, '_>) -> Outcome<Vec<Held>> {
    let (shape, x) = (node.shape(0)?, node.value(0)?);
    if shape.len() < 3 {
        return Err(format!("expects an input (N, C, ...) with at least 3 dimensions, found {shape}").into());
    }
    let axes: Vec<usize> = (2..shape.len()).collect();
    Ok(one(match node.operator() {
        "GlobalLpPool" => {
            let p = node.attributes.int("p", 2)?;
            node.g().vector_norm(x, p as f32, &axes, true)?
        }
        "GlobalAveragePool" if shape.len() == 4 => node.g().global_avg_pool2d(x)?,
        "GlobalAveragePool" => node.g().mean(x, &axes, true)?,
        _ if shape.len() == 4 => node.g().global_max_pool2d(x)?,
        _ => node.g().max(x, &axes, true)?,
    }))
}
