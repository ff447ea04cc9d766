//! Convolutions and transposed ones.

use super::message::{int, ints};
use super::node::Node;
use super::walk::Made;
use crate::onnx::proto::AttributeProto;
use crate::ops::conv2d::{Conv2d, Conv2dGradInput};

/// The attributes that both have.
fn attributes(conv: &Conv2d, kernel: [usize; 2], pads: [[usize; 2]; 2]) -> Vec<AttributeProto> {
    let [[top, bottom], [left, right]] = pads;
    // Steps that nothing takes may be past what the file's numbers hold.
    let stride = conv.stride.map(|stride| stride.min(i32::MAX as usize));
    let dilation = [0, 1].map(|d| if kernel[d] == 1 { 1 } else { conv.dilation[d] });
    vec![
        ints("kernel_shape", &kernel),
        ints("strides", &stride),
        ints("pads", &[top, left, bottom, right]),
        ints("dilations", &dilation),
        int("group", conv.groups as i64),
    ]
}

fn kernel(node: &Node<'_, '_>) -> [usize; 2] {
    let weight = node.shape(1);
    [weight[2], weight[3]]
}

/// The result, whose first dimension is the batch if any is.
fn images(node: &Node<'_, '_>, name: String) -> Result<Made, String> {
    node.fixed_from(1)?;
    node.batch_outside(1..4, "convolves")?;
    Ok(node.like_input(name))
}

pub(super) fn convolution(node: &mut Node<'_, '_>, conv: &Conv2d) -> Result<Made, String> {
    let kernel = kernel(node);
    let mut pads = conv.sides(kernel);
    // No window meets so many rows and columns at the end.
    for (sides, cut) in pads.iter_mut().zip(conv.output_padding) {
        sides[1] = sides[1].checked_sub(cut).ok_or("leaves out rows or columns of its input")?;
    }
    let inputs: Vec<String> = (0..node.inputs()).map(|i| node.input(i)).collect();
    let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
    let y = node.op("Conv", &inputs, attributes(conv, kernel, pads));
    images(node, y)
}

/// The gradient of a convolution's input is ONNX's transposed convolution.
pub(super) fn transposed(node: &mut Node<'_, '_>, transposed: &Conv2dGradInput) -> Result<Made, String> {
    let (conv, kernel) = (&transposed.attributes, kernel(node));
    let (mut pads, input, output) = (conv.sides(kernel), node.shape(0), &transposed.input);
    let mut past_the_end = [0; 2];
    for axis in 0..2 {
        let reach = conv.dilation[axis] * (kernel[axis] - 1) + 1;
        let whole = (input[2 + axis] - 1) * conv.stride[axis] + reach;
        let rest = (output[2 + axis] + pads[axis][0] + pads[axis][1]).checked_sub(whole);
        let rest = rest.ok_or("has an output smaller than its windows make")?;
        // What the padding cuts off at the end comes back first.
        let back = rest.min(pads[axis][1]);
        pads[axis][1] -= back;
        past_the_end[axis] = rest - back;
        if past_the_end[axis] > 0 && past_the_end[axis] >= conv.stride[axis] {
            return Err("has rows or columns at the end that ONNX's output_padding can't make".into());
        }
    }
    let (dy, weight) = (node.input(0), node.input(1));
    let mut attributes = attributes(conv, kernel, pads);
    attributes.push(ints("output_padding", &past_the_end));
    let y = node.op("ConvTranspose", &[&dy, &weight], attributes);
    images(node, y)
}
