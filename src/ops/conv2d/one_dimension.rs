//! Convolutions in one dimension: two-dimensional ones of height one, between views, which cost nothing.

use super::{Conv2d, Padding};
use crate::error::Result;
use crate::graph::{Graph, Value};

/// Attributes of a convolution along one axis, with PyTorch's meaning and defaults.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Conv1d {
    /// Steps between windows.
    pub stride: usize,
    /// Zeros around the input. A transposed convolution crops its result by as much.
    pub padding: Padding<1>,
    /// Steps between a window's taps.
    pub dilation: usize,
    /// Groups of channels that are convolved separately.
    pub groups: usize,
    /// Elements of a transposed convolution's result past the end of the last window, fewer than stride or dilation.
    pub output_padding: usize,
}

impl Default for Conv1d {
    fn default() -> Self {
        Conv1d { stride: 1, padding: Padding::default(), dilation: 1, groups: 1, output_padding: 0 }
    }
}

impl Conv1d {
    /// Sets the stride.
    #[must_use]
    pub fn stride(mut self, stride: usize) -> Self {
        self.stride = stride;
        self
    }

    /// Sets the padding: of both sides, `[left, right]` or a name.
    #[must_use]
    pub fn padding(mut self, padding: impl Into<Padding<1>>) -> Self {
        self.padding = padding.into();
        self
    }

    /// Sets the dilation.
    #[must_use]
    pub fn dilation(mut self, dilation: usize) -> Self {
        self.dilation = dilation;
        self
    }

    /// Sets the number of groups.
    #[must_use]
    pub fn groups(mut self, groups: usize) -> Self {
        self.groups = groups;
        self
    }

    /// Sets the output padding of a transposed convolution.
    #[must_use]
    pub fn output_padding(mut self, output_padding: usize) -> Self {
        self.output_padding = output_padding;
        self
    }

    /// The padding in numbers, for a padding node in front, and the attributes without it.
    pub(crate) fn without_padding(&self, kernel: usize) -> Result<([[usize; 2]; 1], Conv1d), String> {
        let ([_, sides], _) = self.along_width().without_padding([1, kernel])?;
        Ok(([sides], self.padding(Padding::Valid)))
    }

    /// The same attributes along the width of an image of height one.
    pub(super) fn along_width(&self) -> Conv2d {
        Conv2d {
            stride: [1, self.stride],
            padding: match self.padding {
                Padding::Sides([sides]) => Padding::Sides([[0, 0], sides]),
                Padding::Valid => Padding::Valid,
                Padding::Half => Padding::Half,
                Padding::Same => Padding::Same,
                Padding::Full => Padding::Full,
            },
            dilation: [1, self.dilation],
            groups: self.groups,
            output_padding: [0, self.output_padding],
        }
    }
}

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
        attributes: Conv1d,
    ) -> Result<Value> {
        self.of_height_one("conv1d", input, weight, |g, input, weight| {
            g.conv2d(input, weight, bias, attributes.along_width())
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
        attributes: Conv1d,
    ) -> Result<Value> {
        self.of_height_one("conv_transpose1d", input, weight, |g, input, weight| {
            g.conv_transpose2d(input, weight, bias, attributes.along_width())
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
