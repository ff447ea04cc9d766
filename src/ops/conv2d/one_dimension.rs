//! Convolutions in one dimension: two-dimensional ones of height one, between views, which cost nothing.

use super::{Conv1dOptions, ConvTranspose1dOptions};
use crate::error::Result;
use crate::graph::{Graph, Value};

impl Graph {
    /// Convolution (cross-correlation) of `input` (N, C, L) by `weight` (out, C / groups, k) plus `bias`
    /// (out), as PyTorch's `conv1d`.
    ///
    /// # Errors
    /// As [`Graph::conv2d`].
    pub fn conv1d(
        &mut self,
        input: Value,
        weight: Value,
        bias: Option<Value>,
        options: Conv1dOptions,
    ) -> Result<Value> {
        self.of_height_one("conv1d", input, weight, |g, input, weight| {
            g.conv2d(input, weight, bias, options.into())
        })
    }

    /// Transposed convolution of `input` (N, C, L) by `weight` (C, out / groups, k) plus `bias` (out), as
    /// PyTorch's `conv_transpose1d`.
    ///
    /// # Errors
    /// As [`Graph::conv_transpose2d`].
    pub fn conv_transpose1d(
        &mut self,
        input: Value,
        weight: Value,
        bias: Option<Value>,
        options: ConvTranspose1dOptions,
    ) -> Result<Value> {
        self.of_height_one("conv_transpose1d", input, weight, |g, input, weight| {
            g.conv_transpose2d(input, weight, bias, options.into())
        })
    }

    /// Runs `build` on both operands with a height of one, and removes that dimension from the result.
    pub(super) fn of_height_one(
        &mut self,
        operator: &str,
        input: Value,
        weight: Value,
        build: impl FnOnce(&mut Graph, Value, Value) -> Result<Value>,
    ) -> Result<Value> {
        self.check_owned([input, weight])?;
        let (&[images, channels, length], &[first, second, kernel]) =
            (&self.shape_of(input)[..], &self.shape_of(weight)[..])
        else {
            let message = format!(
                "input must be (images, channels, length) and weight (out, in, length), or (in, out, length) where transposed, found {} and {}",
                self.shape_of(input),
                self.shape_of(weight)
            );
            return Err(self.refusal(operator, message));
        };
        let input = self.reshape(input, [images, channels, 1, length])?;
        let weight = self.reshape(weight, [first, second, 1, kernel])?;
        let result = build(self, input, weight).map_err(|e| e.of_operator(operator))?;
        let &[images, channels, _, length] = &self.shape_of(result)[..] else {
            unreachable!("a convolution's result has four dimensions");
        };
        self.reshape(result, [images, channels, length])
    }
}
