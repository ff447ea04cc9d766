//! Transposed convolution in two dimensions. It has no kernels of its own. It is the gradient of a convolution's
//! input; its own input gradient is that convolution, and its weight gradient is the convolution's with operands
//! exchanged.

use super::{Conv2d, Conv2dGradInput, ConvTranspose2dOptions};
use crate::error::Result;
use crate::graph::{Graph, Value};
use crate::tensor::Shape;

impl Conv2d {
    /// The shape of a transposed convolution's result: (size - 1) stride - padding on both sides +
    /// dilation (kernel - 1) + output padding + 1 along an axis.
    fn transposed_shape(&self, input: &Shape, weight: &Shape) -> Result<Shape, String> {
        if input.len() != 4 || weight.len() != 4 {
            return Err(format!(
                "input must be (images, channels, height, width) and weight (in, out, height, width), found {input} and {weight}"
            ));
        }
        self.check()?;
        if weight[0] != input[1] {
            return Err(format!("input has {} channels, weight {weight} expects {}", input[1], weight[0]));
        }
        if !input[1].is_multiple_of(self.groups) {
            return Err(format!(
                "in_channels must be divisible by groups, found {} and {}",
                input[1], self.groups
            ));
        }
        let (size, kernel) = ([input[2], input[3]], [weight[2], weight[3]]);
        let sides = self.sides(kernel);
        let output: [i128; 2] = [0, 1].map(|axis| {
            let int = |size: usize| size as i128;
            let steps = (int(size[axis]) - 1).saturating_mul(int(self.stride[axis]));
            let reach = int(self.dilation[axis]).saturating_mul(int(kernel[axis]) - 1);
            let cut = int(sides[axis][0]) + int(sides[axis][1]);
            steps.saturating_add(reach).saturating_add(int(self.output_padding[axis]) + 1 - cut)
        });
        let [Ok(height), Ok(width)] = output.map(usize::try_from) else {
            return Err(too_small(size, output));
        };
        if height == 0 || width == 0 {
            return Err(too_small(size, output));
        }
        Ok(Shape::from([input[0], weight[1].saturating_mul(self.groups), height, width]))
    }
}

fn too_small(size: [usize; 2], output: [i128; 2]) -> String {
    format!(
        "given input size per channel: ({} x {}), calculated output size per channel: ({} x {}): output size is too small",
        size[0], size[1], output[0], output[1]
    )
}

impl Graph {
    /// Transposed convolution of `input` (N, C, H, W) by `weight` (C, out / groups, kh, kw) plus `bias` (out), as
    /// PyTorch's `conv_transpose2d`. It is the input gradient of the convolution with these options whose output
    /// is as large as `input`. Its size along an axis is (size - 1) stride - both paddings + dilation (kernel - 1) +
    /// output padding + 1.
    ///
    /// # Errors
    /// Channels, groups or bias that do not fit; an output padding that is not below stride or dilation; padding that
    /// leaves nothing.
    pub fn conv_transpose2d(
        &mut self,
        input: Value,
        weight: Value,
        bias: Option<Value>,
        options: ConvTranspose2dOptions,
    ) -> Result<Value> {
        const NAME: &str = "conv_transpose2d";
        let attributes = Conv2d::from(options);
        self.check_owned([input, weight].into_iter().chain(bias))?;
        let shape = attributes
            .transposed_shape(self.shape_of(input), self.shape_of(weight))
            .map_err(|message| self.refusal(NAME, message))?;
        let results = shape[1];
        if let Some(bias) = bias
            && self.shape_of(bias)[..] != [results]
        {
            let (bias, weight) = (self.shape_of(bias), self.shape_of(weight));
            let message = format!("bias must be [{results}] for weight {weight}, found {bias}");
            return Err(self.refusal(NAME, message));
        }
        let operator = Conv2dGradInput { attributes, input: shape };
        let result = self.apply1(operator, &[input, weight]).map_err(|e| e.of_operator(NAME))?;
        // The addition fuses into the kernel in front of it.
        match bias {
            Some(bias) => {
                let bias = self.reshape(bias, [results, 1, 1])?;
                self.add(result, bias)
            }
            None => Ok(result),
        }
    }
}
