//! Convolution as signal processing defines it: the kernel is rotated by half a turn before it slides. Neural
//! networks use the word for cross-correlation, which `conv1d` and `conv2d` compute.

use super::{Conv1dOptions, Conv2dOptions};
use crate::error::Result;
use crate::graph::{Graph, Value};

impl Graph {
    /// True convolution of `input` (N, C, L) by `weight` (out, C / groups, k) plus `bias` (out): out\[i] = sum over
    /// taps t of input\[i + k - 1 - t - padding] weight\[t]. This is [`Graph::conv1d`] with the kernel reversed. With
    /// [`Padding::Full`](super::Padding::Full), one channel and no bias it is NumPy's `convolve`.
    ///
    /// # Errors
    /// As [`Graph::conv1d`].
    pub fn convolution1d(
        &mut self,
        input: Value,
        weight: Value,
        bias: Option<Value>,
        options: Conv1dOptions,
    ) -> Result<Value> {
        self.of_height_one("convolution1d", input, weight, |g, input, weight| {
            g.convolution2d(input, weight, bias, options.into())
        })
    }

    /// True convolution of `input` (N, C, H, W) by `weight` (out, C / groups, kh, kw) plus `bias` (out). This is
    /// [`Graph::conv2d`], a cross-correlation, with the kernel flipped along height and width.
    ///
    /// # Errors
    /// As [`Graph::conv2d`].
    pub fn convolution2d(
        &mut self,
        input: Value,
        weight: Value,
        bias: Option<Value>,
        options: Conv2dOptions,
    ) -> Result<Value> {
        const NAME: &str = "convolution2d";
        self.check_owned([weight])?;
        if self.shape_of(weight).len() != 4 {
            let message = format!("weight must be (out, in, height, width), found {}", self.shape_of(weight));
            return Err(self.refusal(NAME, message));
        }
        let turned = self.flip(weight, &[2, 3])?;
        self.conv2d(input, turned, bias, options).map_err(|e| e.of_operator(NAME))
    }
}
