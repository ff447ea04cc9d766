//! A convolution as a matrix, for study and for checking, not for speed. No kernel uses it.

use super::{Conv1dOptions, Conv2d, Conv2dOptions};
use crate::error::{Error, Result};
use crate::tensor::{HostTensor, Shape};

impl Conv2dOptions {
    /// The matrix T with which the convolution (cross-correlation) of one image is T x: \[outputs, inputs],
    /// where an input is an element of the image (C, H, W) and an output one of the result (out, oh, ow),
    /// both counted row-major. `input` is (C, H, W), `weight` (out, C / groups, kh, kw).
    ///
    /// The transpose of T times the output's gradient is the input's gradient, which is also a transposed
    /// convolution. If strides are one, T is a block Toeplitz matrix of Toeplitz blocks: an entry depends on the
    /// distance between its output and its input, and on their channels. See Goodfellow, Bengio and Courville, Deep
    /// Learning, section 9.1.
    ///
    /// # Errors
    /// Attributes and shapes that [`Graph::conv2d`](crate::Graph::conv2d) refuses; a weight that is not f32; a matrix
    /// of more than `i32::MAX` elements.
    pub fn toeplitz(&self, input: &Shape, weight: &HostTensor) -> Result<HostTensor> {
        let error = |message: String| Error::Value { name: "toeplitz".into(), message };
        let &[channels, height, width] = &input[..] else {
            return Err(error(format!("input must be (channels, height, width), found {input}")));
        };
        let taps =
            weight.as_f32().ok_or_else(|| error(format!("weight must be f32, found {}", weight.ty())))?;
        if taps.len() != weight.shape.elements() {
            return Err(error(format!("weight {} holds {} elements", weight.shape, taps.len())));
        }
        let geometry = Conv2d::from(*self)
            .geometry(&Shape::from([1, channels, height, width]), &weight.shape)
            .map_err(error)?;
        let [output_height, output_width] = geometry.output;
        let results = geometry.results * geometry.groups;
        let shape = Shape::from([
            results.saturating_mul(output_height).saturating_mul(output_width),
            input.elements(),
        ]);
        if shape.elements() > i32::MAX as usize {
            return Err(error(format!("a matrix {shape} is too large; at most {} elements", i32::MAX)));
        }
        let mut matrix = vec![0.0; shape.elements()];
        let [kernel_height, kernel_width] = geometry.kernel;
        let [above, left] = geometry.padding;
        let columns = shape[1];
        for (i, &tap) in taps.iter().enumerate() {
            let kw = i % kernel_width;
            let kh = i / kernel_width % kernel_height;
            let within = i / (kernel_width * kernel_height) % geometry.channels;
            let result = i / (kernel_width * kernel_height * geometry.channels);
            let channel = result / geometry.results * geometry.channels + within;
            // One diagonal, or a part of one, per row of the output.
            for oh in 0..output_height {
                let h = (oh * geometry.stride[0] + kh * geometry.dilation[0]).wrapping_sub(above);
                for ow in 0..output_width {
                    let w = (ow * geometry.stride[1] + kw * geometry.dilation[1]).wrapping_sub(left);
                    if h < height && w < width {
                        let row = (result * output_height + oh) * output_width + ow;
                        matrix[row * columns + (channel * height + h) * width + w] = tap;
                    }
                }
            }
        }
        HostTensor::f32(shape, matrix)
    }
}

impl Conv1dOptions {
    /// The matrix T with which the convolution (cross-correlation) of one signal is T x; see
    /// [`Conv2dOptions::toeplitz`]. `input` is (C, L), `weight` (out, C / groups, k).
    ///
    /// # Errors
    /// As [`Conv2dOptions::toeplitz`].
    pub fn toeplitz(&self, input: &Shape, weight: &HostTensor) -> Result<HostTensor> {
        let (&[channels, length], &[first, second, kernel]) = (&input[..], &weight.shape[..]) else {
            return Err(Error::Value {
                name: "toeplitz".into(),
                message: format!(
                    "input must be (channels, length) and weight (out, in, length), found {input} and {}",
                    weight.shape
                ),
            });
        };
        let weight = HostTensor { shape: Shape::from([first, second, 1, kernel]), data: weight.data.clone() };
        Conv2dOptions::from(*self).toeplitz(&Shape::from([channels, 1, length]), &weight)
    }
}
