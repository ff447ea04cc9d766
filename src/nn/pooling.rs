//! Pooling and resampling layers, under PyTorch's names. None has parameters.

use super::Layer;
use crate::error::Result;
use crate::graph::{Graph, Mode, Value};
use crate::ops::pool2d::{
    AvgPool1dOptions, AvgPool2dOptions, LpPool2dOptions, MaxPool1dOptions, MaxPool2dOptions,
    WeightedAvgPool2dOptions,
};
use crate::ops::upsample::{Interpolation, Resize, Upsample as Way, Upsample2d};

macro_rules! sliding {
    (
        $(#[$doc:meta])* $name:ident, $method:ident, $options:ty, $size:ty,
        $($setter:ident: $kind:ty, $text:literal;)*
    ) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Debug)]
        pub struct $name($options);

        impl $name {
            /// Windows of this size, without padding. The stride is the window's size.
            pub fn new(kernel: $size) -> Self {
                $name(<$options>::new(kernel))
            }

            /// Pooling with these options.
            pub fn with(options: $options) -> Self {
                $name(options)
            }

            $(
                #[doc = $text]
                #[must_use]
                pub fn $setter(self, $setter: $kind) -> Self {
                    $name(self.0.$setter($setter))
                }
            )*
        }

        impl Layer for $name {
            fn forward(&self, g: &mut Graph, x: Value, _mode: Mode) -> Result<Value> {
                g.$method(x, self.0)
            }
        }
    };
}

sliding!(
    /// The largest value of each window: \[n, c, h, w] to \[n, c, oh, ow].
    ///
    /// ```
    /// # fn main() -> wgrad::Result<()> {
    /// use wgrad::{Graph, Mode, nn, nn::Layer};
    ///
    /// let mut g = Graph::new();
    /// let x = g.input("x", [8, 16, 32, 32])?;
    /// let y = nn::MaxPool2d::new([2, 2]).forward(&mut g, x, Mode::Train)?;
    /// assert_eq!(g.shape(y)?[..], [8, 16, 16, 16]);
    /// # Ok(())
    /// # }
    /// ```
    MaxPool2d,
    max_pool2d,
    MaxPool2dOptions,
    [usize; 2],
    stride: [usize; 2], "Steps between windows, down and across; as far as a window is wide by default.";
    padding: [usize; 2], "Rows above and below, columns left and right, that windows may reach into.";
    dilation: [usize; 2], "Steps between the taps of a window, down and across.";
    ceil_mode: bool, "Whether a last window that reaches past the padding is kept.";
);
sliding!(
    /// The mean of each window, padding counted as zeros by default: \[n, c, h, w] to \[n, c, oh, ow].
    AvgPool2d,
    avg_pool2d,
    AvgPool2dOptions,
    [usize; 2],
    stride: [usize; 2], "Steps between windows, down and across; as far as a window is wide by default.";
    padding: [usize; 2], "Rows above and below, columns left and right, that windows may reach into.";
    ceil_mode: bool, "Whether a last window that reaches past the padding is kept.";
    count_include_pad: bool, "Whether padding counts in the divisor.";
    divisor_override: usize, "What sums are divided by instead.";
);
sliding!(
    /// The mean of each window with weights 1 / (1 + d) for elements at distance d from its middle, padding
    /// counted as zeros by default: \[n, c, h, w] to \[n, c, oh, ow].
    WeightedAvgPool2d,
    weighted_avg_pool2d,
    WeightedAvgPool2dOptions,
    [usize; 2],
    stride: [usize; 2], "Steps between windows, down and across; as far as a window is wide by default.";
    padding: [usize; 2], "Rows above and below, columns left and right, that windows may reach into.";
    ceil_mode: bool, "Whether a last window that reaches past the padding is kept.";
    count_include_pad: bool, "Whether padding counts in the divisor.";
);
sliding!(
    /// The largest value of each window: \[n, c, l] to \[n, c, ol].
    MaxPool1d,
    max_pool1d,
    MaxPool1dOptions,
    usize,
    stride: usize, "Steps between windows; as far as a window is wide by default.";
    padding: usize, "Elements at either end that windows may reach into.";
    dilation: usize, "Steps between the taps of a window.";
    ceil_mode: bool, "Whether a last window that reaches past the padding is kept.";
);
sliding!(
    /// The mean of each window, padding counted as zeros by default: \[n, c, l] to \[n, c, ol].
    AvgPool1d,
    avg_pool1d,
    AvgPool1dOptions,
    usize,
    stride: usize, "Steps between windows; as far as a window is wide by default.";
    padding: usize, "Elements at either end that windows may reach into.";
    ceil_mode: bool, "Whether a last window that reaches past the padding is kept.";
    count_include_pad: bool, "Whether padding counts in the divisor.";
);

/// The p-norm of each window, as [`Graph::lp_pool2d`] defines it: \[n, c, h, w] to \[n, c, oh, ow].
#[derive(Clone, PartialEq, Debug)]
pub struct LpPool2d {
    norm_type: f32,
    options: LpPool2dOptions,
}

impl LpPool2d {
    /// The `norm_type`-norm of windows of this height and width. The stride is the window's size.
    pub fn new(norm_type: f32, kernel: [usize; 2]) -> Self {
        LpPool2d { norm_type, options: LpPool2dOptions::new(kernel) }
    }

    /// The root of the sum of squares of windows of this height and width. The stride is the window's size.
    pub fn l2(kernel: [usize; 2]) -> Self {
        LpPool2d::new(2.0, kernel)
    }

    /// Sets the stride, down and across; the window's size by default.
    #[must_use]
    pub fn stride(mut self, stride: [usize; 2]) -> Self {
        self.options = self.options.stride(stride);
        self
    }

    /// Sets whether a last window that reaches past the input is kept. Off by default.
    #[must_use]
    pub fn ceil_mode(mut self, ceil_mode: bool) -> Self {
        self.options = self.options.ceil_mode(ceil_mode);
        self
    }
}

impl Layer for LpPool2d {
    fn forward(&self, g: &mut Graph, x: Value, _mode: Mode) -> Result<Value> {
        g.lp_pool2d(x, self.norm_type, self.options)
    }
}

operator_layer!(
    /// The mean of each window, with windows that fit an output size as [`Graph::adaptive_avg_pool2d`]
    /// defines them: \[n, c, h, w] to \[n, c, oh, ow].
    AdaptiveAvgPool2d,
    adaptive_avg_pool2d,
    /// An output of this size.
    output_size: [usize; 2]
);
operator_layer!(
    /// The largest value of each window, with windows that fit an output size as
    /// [`Graph::adaptive_max_pool2d`] defines them: \[n, c, h, w] to \[n, c, oh, ow].
    AdaptiveMaxPool2d,
    adaptive_max_pool2d,
    /// An output of this size.
    output_size: [usize; 2]
);
operator_layer!(
    /// The mean of each window, with windows that fit an output size: \[n, c, l] to \[n, c, ol].
    AdaptiveAvgPool1d,
    adaptive_avg_pool1d,
    /// An output of this size.
    output_size: usize
);
operator_layer!(
    /// The largest value of each window, with windows that fit an output size: \[n, c, l] to \[n, c, ol].
    AdaptiveMaxPool1d,
    adaptive_max_pool1d,
    /// An output of this size.
    output_size: usize
);

operator_layer!(
    /// The mean of each plane: \[n, c, h, w] to \[n, c, 1, 1].
    GlobalAvgPool2d,
    global_avg_pool2d
);
operator_layer!(
    /// The largest value of each plane: \[n, c, h, w] to \[n, c, 1, 1].
    GlobalMaxPool2d,
    global_max_pool2d
);

/// Resamples images to another size: \[n, c, h, w] to \[n, c, oh, ow].
///
/// ```
/// # fn main() -> wgrad::Result<()> {
/// use wgrad::ops::upsample::Resize;
/// use wgrad::{Graph, Mode, nn, nn::Layer};
///
/// let mut g = Graph::new();
/// let x = g.input("x", [8, 16, 16, 16])?;
/// let up = nn::Upsample::bilinear(Resize::Size([40, 40]), false);
/// let y = up.forward(&mut g, x, Mode::Train)?;
/// assert_eq!(g.shape(y)?[..], [8, 16, 40, 40]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Upsample(Way);

impl Upsample {
    /// Takes the nearest input element, as [`Graph::upsample_nearest2d`] defines it.
    pub fn nearest(resize: Resize) -> Self {
        Upsample(Way { resize, interpolation: Interpolation::Nearest })
    }

    /// Interpolates between four input elements, as [`Graph::upsample_bilinear2d`] defines it.
    pub fn bilinear(resize: Resize, align_corners: bool) -> Self {
        Upsample(Way { resize, interpolation: Interpolation::Bilinear { align_corners } })
    }
}

impl Layer for Upsample {
    fn forward(&self, g: &mut Graph, x: Value, _mode: Mode) -> Result<Value> {
        g.apply1(Upsample2d(self.0), &[x])
    }
}
