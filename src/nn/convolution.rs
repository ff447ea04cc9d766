//! Convolution layers, plain and transposed, in one and two dimensions.

use super::Layer;
use super::initializers::Initializers;
use crate::error::Result;
use crate::graph::{Graph, Init, LayerId, Mode, Value};
use crate::ops::conv2d::{self, Padding};
use crate::ops::pad::PadMode;
use crate::tensor::Shape;
use std::fmt;

/// The common part of the layers: sizes, options and their setters.
macro_rules! convolution {
    ($(#[$doc:meta])* $name:ident, $options:ident, $axes:literal, $size:ty, $($field:ident: $type:ty = $default:expr)?) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Debug)]
        pub struct $name {
            inputs: usize,
            outputs: usize,
            kernel: $size,
            bias: bool,
            initializers: Initializers,
            id: LayerId,
            options: conv2d::$options,
            $($field: $type,)?
        }

        impl $name {
            /// A layer with stride 1, no padding, one group and a bias.
            pub fn new(inputs: usize, outputs: usize, kernel: $size) -> Self {
                let (initializers, options) = (Initializers::default(), conv2d::$options::default());
                let id = LayerId::new();
                $name { inputs, outputs, kernel, bias: true, initializers, id, options, $($field: $default)? }
            }

            /// Sets the padding of the input, by number or by name; none by default. A transposed convolution
            /// removes as much from its output instead.
            #[must_use]
            pub fn padding(mut self, padding: impl Into<Padding<$axes>>) -> Self {
                self.options = self.options.padding(padding);
                self
            }

            setters! {
                in options;
                /// Sets the stride: the distance between windows. 1 by default.
                stride: $size;
                /// Sets the dilation: the distance between the taps of a window. 1 by default.
                dilation: $size;
                /// Sets the number of groups: each group of output channels sees one group of input channels. 1
                /// by default.
                groups: usize;
            }

            initializer_setters!();
        }
    };
}

/// The rest of a plain convolution: its padding mode and its nodes.
macro_rules! plain {
    ($name:ident, $method:ident) => {
        impl $name {
            /// Sets the contents of the padding: zeros by default.
            #[must_use]
            pub fn padding_mode(mut self, padding_mode: PadMode) -> Self {
                let pad = (padding_mode != ZEROS.mode).then_some(Graph::pad as PadFunction);
                self.padding_mode = PaddingMode { mode: padding_mode, pad };
                self
            }
        }

        impl Layer for $name {
            fn forward(&self, g: &mut Graph, x: Value, _mode: Mode) -> Result<Value> {
                const NAME: &str = stringify!($method);
                let channels = [("out_channels", self.outputs), ("in_channels", self.inputs)];
                let bias = self.bias.then_some(self.outputs);
                let (kernel, groups) = (self.kernel.into(), self.options.groups);
                let (weight, bias) = g.layer(&self.id, |g| {
                    parameters(g, NAME, channels, kernel, groups, bias, &self.initializers)
                })?;
                let Some(pad) = self.padding_mode.pad else {
                    return g.$method(x, weight, bias, self.options);
                };
                let (sides, options) =
                    self.options.without_padding(self.kernel).map_err(|e| g.refusal(NAME, e))?;
                let x = pad(g, x, sides.into(), self.padding_mode.mode)?;
                g.$method(x, weight, bias, options)
            }
        }
    };
}

/// The rest of a transposed convolution: its output padding and its nodes.
macro_rules! transposed {
    ($name:ident, $method:ident, $size:ty) => {
        impl $name {
            setters! {
                in options;
                /// Sets how many elements the output has past the last window; none by default.
                output_padding: $size;
            }
        }

        impl Layer for $name {
            fn forward(&self, g: &mut Graph, x: Value, _mode: Mode) -> Result<Value> {
                const NAME: &str = stringify!($method);
                let channels = [("in_channels", self.inputs), ("out_channels", self.outputs)];
                let bias = self.bias.then_some(self.outputs);
                let (kernel, groups) = (self.kernel.into(), self.options.groups);
                let (weight, bias) = g.layer(&self.id, |g| {
                    parameters(g, NAME, channels, kernel, groups, bias, &self.initializers)
                })?;
                g.$method(x, weight, bias, self.options)
            }
        }
    };
}

const ZEROS: PaddingMode = PaddingMode { mode: PadMode::Constant(0.0), pad: None };

/// The contents of the padding, and the function that writes them: without the setter's call a program does not hold
/// the operator.
#[derive(Clone, Copy)]
struct PaddingMode {
    mode: PadMode,
    pad: Option<PadFunction>,
}

type PadFunction = fn(&mut Graph, Value, Vec<[usize; 2]>, PadMode) -> Result<Value>;

impl PartialEq for PaddingMode {
    fn eq(&self, other: &Self) -> bool {
        self.mode == other.mode
    }
}

impl fmt::Debug for PaddingMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.mode.fmt(f)
    }
}

/// Declares weight and bias of a layer of `operator`. `channels` are those of the weight's first and second
/// dimension; the second's are divided among the groups.
fn parameters(
    g: &mut Graph,
    operator: &str,
    channels: [(&str, usize); 2],
    kernel: Shape,
    groups: usize,
    bias: Option<usize>,
    initializers: &Initializers,
) -> Result<(Value, Option<Value>)> {
    for (what, channels) in channels {
        // The operator refuses 0 groups.
        if groups > 0 && !channels.is_multiple_of(groups) {
            let message = format!("{what} must be divisible by groups, found {channels} and {groups}");
            return Err(g.refusal(operator, message));
        }
    }
    let [(_, first), (_, second)] = channels;
    let second = second / groups.max(1);
    let (of_weight, of_bias) = initializers.or_default(second.saturating_mul(kernel.elements()));
    let shape: Vec<usize> = [first, second].iter().chain(&kernel[..]).copied().collect();
    let weight = g.parameter("weight", shape, of_weight)?;
    let bias = bias.map(|outputs| g.parameter("bias", [outputs], of_bias)).transpose()?;
    Ok((weight, bias))
}

convolution!(
    /// 1-D convolution (cross-correlation, as in PyTorch): \[n, inputs, l] to \[n, outputs, ol] with
    /// ol = (l + both paddings - dilation * (kernel - 1) - 1) / stride + 1, rounded down.
    ///
    /// Parameters: `weight` \[outputs, inputs / groups, kernel] and `bias` \[outputs], both initially uniform
    /// within 1 / sqrt(inputs / groups * kernel), as in PyTorch.
    Conv1d, Conv1dOptions, 1, usize, padding_mode: PaddingMode = ZEROS
);
plain!(Conv1d, conv1d);

convolution!(
    /// 2-D convolution (cross-correlation, as in PyTorch): \[n, inputs, h, w] to \[n, outputs, oh, ow] with
    /// oh = (h + both paddings - dilation * (kernel - 1) - 1) / stride + 1, rounded down. Pairs are for
    /// height and width.
    ///
    /// Parameters: `weight` \[outputs, inputs / groups, kernel height, kernel width] and `bias` \[outputs],
    /// both initially uniform within 1 / sqrt(inputs / groups * kernel height * kernel width), as in PyTorch.
    ///
    /// ```
    /// # fn main() -> wgrad::Result<()> {
    /// use wgrad::{Graph, Mode, nn, nn::Layer};
    ///
    /// let conv = nn::Conv2d::new(3, 16, [3, 3]).stride([2, 2]).padding([1, 1]).bias(false);
    /// let mut g = Graph::new();
    /// let images = g.input("images", [8, 3, 32, 32])?;
    /// let y = conv.forward(&mut g, images, Mode::Train)?;
    /// assert_eq!(g.shape(y)?[..], [8, 16, 16, 16]);
    /// # Ok(())
    /// # }
    /// ```
    Conv2d, Conv2dOptions, 2, [usize; 2], padding_mode: PaddingMode = ZEROS
);
plain!(Conv2d, conv2d);

convolution!(
    /// 1-D transposed convolution: \[n, inputs, l] to \[n, outputs, ol] with ol = (l - 1) * stride - both
    /// paddings + dilation * (kernel - 1) + output padding + 1.
    ///
    /// Parameters: `weight` \[inputs, outputs / groups, kernel] and `bias` \[outputs], both initially uniform
    /// within 1 / sqrt(outputs / groups * kernel), as in PyTorch, which takes the weight's second dimension
    /// as the fan-in.
    ConvTranspose1d, ConvTranspose1dOptions, 1, usize,
);
transposed!(ConvTranspose1d, conv_transpose1d, usize);

convolution!(
    /// 2-D transposed convolution: \[n, inputs, h, w] to \[n, outputs, oh, ow] with oh = (h - 1) * stride -
    /// both paddings + dilation * (kernel - 1) + output padding + 1. Pairs are for height and width.
    ///
    /// Parameters: `weight` \[inputs, outputs / groups, kernel height, kernel width] and `bias` \[outputs],
    /// both initially uniform within 1 / sqrt(outputs / groups * kernel height * kernel width), as in
    /// PyTorch, which takes the weight's second dimension as the fan-in.
    ///
    /// ```
    /// # fn main() -> wgrad::Result<()> {
    /// use wgrad::{Graph, Mode, nn, nn::Layer};
    ///
    /// let up = nn::ConvTranspose2d::new(16, 3, [2, 2]).stride([2, 2]);
    /// let mut g = Graph::new();
    /// let x = g.input("x", [8, 16, 16, 16])?;
    /// let y = up.forward(&mut g, x, Mode::Train)?;
    /// assert_eq!(g.shape(y)?[..], [8, 3, 32, 32]);
    /// # Ok(())
    /// # }
    /// ```
    ConvTranspose2d, ConvTranspose2dOptions, 2, [usize; 2],
);
transposed!(ConvTranspose2d, conv_transpose2d, [usize; 2]);
