//! Cross-correlation and its gradients, as loops over every pair of an output and a tap.

use crate::op::{Array, Reference};
use crate::ops::conv2d::{Conv2d, Conv2dGradInput, Conv2dGradWeight, Padding};
use crate::tensor::Shape;

/// Rows above, or columns left of, the input, and those after it.
fn padding(attributes: &Conv2d, weight: &Shape, axis: usize) -> (usize, usize) {
    let taps = weight[2 + axis];
    let window = attributes.dilation[axis] * (taps - 1) + 1;
    match attributes.padding {
        Padding::Sides(sides) => (sides[axis][0], sides[axis][1]),
        Padding::Valid => (0, 0),
        Padding::Half => (window / 2, window / 2),
        Padding::Same => ((window - 1) / 2, window / 2),
        Padding::Full => (window - 1, window - 1),
    }
}

/// Calls `f(output index, input index, weight index)` for every product in the sum
/// `output[n, o, oh, ow] = sum input[n, i, oh s + kh d - p, ow s + kw d - p] weight[o, i, kh, kw]`.
fn products(
    attributes: &Conv2d,
    input: &Shape,
    weight: &Shape,
    output: &Shape,
    mut f: impl FnMut(usize, usize, usize),
) {
    let before = [0, 1].map(|axis| padding(attributes, weight, axis).0);
    let place = |out: usize, tap: usize, axis: usize| {
        (out * attributes.stride[axis] + tap * attributes.dilation[axis]).checked_sub(before[axis])
    };
    let results_per_group = weight[0] / attributes.groups;
    for n in 0..output[0] {
        for o in 0..output[1] {
            let first_channel = o / results_per_group * weight[1];
            for oh in 0..output[2] {
                for ow in 0..output[3] {
                    let at_output = ((n * output[1] + o) * output[2] + oh) * output[3] + ow;
                    for i in 0..weight[1] {
                        for kh in 0..weight[2] {
                            let Some(h) = place(oh, kh, 0).filter(|&h| h < input[2]) else { continue };
                            for kw in 0..weight[3] {
                                let Some(w) = place(ow, kw, 1).filter(|&w| w < input[3]) else { continue };
                                let at_input =
                                    ((n * input[1] + first_channel + i) * input[2] + h) * input[3] + w;
                                let at_weight = ((o * weight[1] + i) * weight[2] + kh) * weight[3] + kw;
                                f(at_output, at_input, at_weight);
                            }
                        }
                    }
                }
            }
        }
    }
}

fn output_shape(attributes: &Conv2d, input: &Shape, weight: &Shape) -> Shape {
    let size = |axis: usize| {
        let (before, after) = padding(attributes, weight, axis);
        let reach = attributes.dilation[axis] * (weight[2 + axis] - 1);
        let padded = input[2 + axis] + before + after - attributes.output_padding[axis];
        (padded - reach - 1) / attributes.stride[axis] + 1
    };
    Shape::from([input[0], weight[0], size(0), size(1)])
}

/// The forward pass.
impl Reference for Conv2d {
    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let [input, weight] = [inputs[0], inputs[1]];
        let shape = output_shape(self, &input.shape, &weight.shape);
        let mut output = Array::zeros(shape.clone());
        if let Some(bias) = inputs.get(2) {
            let plane = shape[2] * shape[3];
            for (i, y) in output.data.iter_mut().enumerate() {
                *y = bias.data[i / plane % shape[1]];
            }
        }
        products(self, &input.shape, &weight.shape, &shape, |y, x, w| {
            output.data[y] += input.data[x] * weight.data[w];
        });
        vec![output]
    }
}

/// Gradient of the input, whose shape is `input`.
impl Reference for Conv2dGradInput {
    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let Conv2dGradInput { attributes, input } = self;
        let [gradient, weight] = [inputs[0], inputs[1]];
        let mut result = Array::zeros(input.clone());
        products(attributes, input, &weight.shape, &gradient.shape, |y, x, w| {
            result.data[x] += gradient.data[y] * weight.data[w];
        });
        vec![result]
    }
}

/// Gradient of the weight, whose shape is `weight`.
impl Reference for Conv2dGradWeight {
    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let Conv2dGradWeight { attributes, weight } = self;
        let [gradient, input] = [inputs[0], inputs[1]];
        let mut result = Array::zeros(weight.clone());
        products(attributes, &input.shape, weight, &gradient.shape, |y, x, w| {
            result.data[w] += gradient.data[y] * input.data[x];
        });
        vec![result]
    }
}
