//! Conv and ConvTranspose, along one or two dimensions.

use super::node::{Node, one};
use super::windows::{AutoPad, Windows, planes};
use super::{Held, Outcome};
use crate::graph::Value;
use crate::ops::conv2d::{Conv2dOptions, ConvTranspose2dOptions, Padding};
use crate::tensor::Shape;

/// Input and weight with a height, the bias, and the windows.
struct Operands {
    x: Value,
    weight: Value,
    bias: Option<Value>,
    windows: Windows,
    groups: usize,
    /// Shape of the input as the file has it.
    input: Shape,
}

fn operands(node: &mut Node<'_, '_, '_>) -> Outcome<Operands> {
    let (input, weight_shape) = (node.shape(0)?, node.shape(1)?);
    if weight_shape.len() != input.len() || weight_shape.len() < 3 {
        return Err(format!("input {input} and weight {weight_shape} differ in dimensions").into());
    }
    let windows = Windows::of(node, &input, Some(&weight_shape[2..]))?;
    let group = node.attributes.int("group", 1)?;
    let groups = usize::try_from(group).map_err(|_| format!("group must be at least 1, found {group}"))?;
    let (mut x, mut weight, bias) = (node.value(0)?, node.weight(1)?, node.maybe_weight(2)?);
    if input.len() == 3 {
        x = node.g().reshape(x, [input[0], input[1], 1, input[2]])?;
        weight = node.g().reshape(weight, [weight_shape[0], weight_shape[1], 1, weight_shape[2]])?;
    }
    Ok(Operands { x, weight, bias, windows, groups, input })
}

/// The result under as many dimensions as the input has.
pub(super) fn like_input(node: &mut Node<'_, '_, '_>, y: Value, input: &Shape) -> Outcome<Value> {
    let shape = node.shape_of(y);
    match (input.len(), &shape[..]) {
        (3, &[images, channels, _, length]) => Ok(node.g().reshape(y, [images, channels, length])?),
        _ => Ok(y),
    }
}

pub(super) fn convolution(node: &mut Node<'_, '_, '_>) -> Outcome<Vec<Held>> {
    let Operands { x, weight, bias, windows, groups, input } = operands(node)?;
    let options = Conv2dOptions::new()
        .stride(windows.stride)
        .dilation(windows.dilation)
        .padding(Padding::Sides(windows.pads))
        .groups(groups);
    let y = node.g().conv2d(x, weight, bias, options)?;
    like_input(node, y, &input).map(one)
}

pub(super) fn transposed(node: &mut Node<'_, '_, '_>) -> Outcome<Vec<Held>> {
    let auto = AutoPad::of(node)?;
    let Operands { x, weight, bias, mut windows, groups, input } = operands(node)?;
    let (axes, size) = (input.len() - 2, planes(&input));
    let mut extra = super::windows::pair(node, "output_padding", axes, 0)?;
    if axes == 1 {
        extra[0] = 0;
    }
    let given = match node.attributes.ints("output_shape")? {
        // Some exporters give batch and channels as well.
        Some(list) => {
            let spatial = &list[list.len().saturating_sub(axes)..];
            let sizes: Result<Vec<usize>, _> = spatial.iter().map(|&size| usize::try_from(size)).collect();
            match sizes.as_deref() {
                Ok(&[length]) => Some([1, length]),
                Ok(&[height, width]) if axes == 2 => Some([height, width]),
                _ => return Err(format!("output_shape {list:?} does not fit {axes} dimensions").into()),
            }
        }
        None if matches!(auto, AutoPad::SameUpper | AutoPad::SameLower) => {
            Some([0, 1].map(|d| size[d].saturating_mul(windows.stride[d])))
        }
        None => None,
    };
    if let Some(outputs) = given {
        for d in 0..2 {
            let whole = (size[d] - 1).saturating_mul(windows.stride[d]).saturating_add(windows.reach(d));
            let whole = whole.saturating_add(extra[d]);
            windows.pads[d] = match whole.checked_sub(outputs[d]) {
                // The odd element is cut off before the result, unless the padding is SAME_UPPER.
                Some(cut) if auto == AutoPad::SameUpper => AutoPad::SameUpper.divided(cut),
                Some(cut) => AutoPad::SameLower.divided(cut),
                None => {
                    extra[d] += outputs[d] - whole;
                    [0, 0]
                }
            };
        }
    }
    let options = ConvTranspose2dOptions::new()
        .stride(windows.stride)
        .dilation(windows.dilation)
        .padding(Padding::Sides(windows.pads))
        .groups(groups)
        .output_padding(extra);
    let y = node.g().conv_transpose2d(x, weight, bias, options)?;
    like_input(node, y, &input).map(one)
}
