//! What can be set of each pooling over windows of one size, with PyTorch's names and defaults. Each becomes the
//! attributes of the operator, which has two dimensions.

use super::Pool2d;

/// Options: windows, their stride, and those of the others that are named.
macro_rules! options {
    ($($(#[$doc:meta])* $name:ident, $size:ty { $($(#[$of_field:meta])* $field:ident: $type:ty, $argument:ty = $default:expr,)* })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        pub struct $name {
            kernel: $size,
            stride: $size,
            ceil_mode: bool,
            $($field: $type,)*
        }

        impl $name {
            /// Windows of this size, side by side: the stride is the kernel. PyTorch's defaults otherwise.
            pub fn new(kernel: $size) -> Self {
                $name { kernel, stride: kernel, ceil_mode: false, $($field: $default,)* }
            }

            /// Sets the step from one window to the next; the kernel by default.
            #[must_use]
            pub fn stride(mut self, stride: $size) -> Self {
                self.stride = stride;
                self
            }

            /// Sets whether a last window that reaches past the padding is kept. It must start inside the input or
            /// the padding before it. Off by default.
            #[must_use]
            pub fn ceil_mode(mut self, ceil_mode: bool) -> Self {
                self.ceil_mode = ceil_mode;
                self
            }

            $(
                $(#[$of_field])*
                #[must_use]
                pub fn $field(mut self, $field: $argument) -> Self {
                    self.$field = $field.into();
                    self
                }
            )*
        }
    )*};
}

options! {
    /// Options of [`Graph::max_pool2d`](crate::Graph::max_pool2d). Pairs are given for height and width.
    MaxPool2dOptions, [usize; 2] {
        /// Sets the padding on both sides, at most half the kernel, which is never the largest; 0 by default.
        padding: [usize; 2], [usize; 2] = [0; 2],
        /// Sets the step from one tap of a window to the next, 1 by default.
        dilation: [usize; 2], [usize; 2] = [1; 2],
    }

    /// Options of [`Graph::max_pool1d`](crate::Graph::max_pool1d).
    MaxPool1dOptions, usize {
        /// Sets the padding on both sides, at most half the kernel, which is never the largest; 0 by default.
        padding: usize, usize = 0,
        /// Sets the step from one tap of a window to the next, 1 by default.
        dilation: usize, usize = 1,
    }

    /// Options of [`Graph::avg_pool2d`](crate::Graph::avg_pool2d). Pairs are given for height and width.
    AvgPool2dOptions, [usize; 2] {
        /// Sets the padding on both sides, at most half the kernel; 0 by default.
        padding: [usize; 2], [usize; 2] = [0; 2],
        /// Sets whether padding counts in the divisor, as zeros. On by default.
        count_include_pad: bool, bool = true,
        /// Sets what sums are divided by instead of the number of taps, above 0; nothing by default.
        divisor_override: Option<usize>, impl Into<Option<usize>> = None,
    }

    /// Options of [`Graph::avg_pool1d`](crate::Graph::avg_pool1d).
    AvgPool1dOptions, usize {
        /// Sets the padding on both sides, at most half the kernel; 0 by default.
        padding: usize, usize = 0,
        /// Sets whether padding counts in the divisor, as zeros. On by default.
        count_include_pad: bool, bool = true,
    }

    /// Options of [`Graph::weighted_avg_pool2d`](crate::Graph::weighted_avg_pool2d). Pairs are given for height and
    /// width.
    WeightedAvgPool2dOptions, [usize; 2] {
        /// Sets the padding on both sides, at most half the kernel; 0 by default.
        padding: [usize; 2], [usize; 2] = [0; 2],
        /// Sets whether the weights of padding count in the divisor. On by default.
        count_include_pad: bool, bool = true,
    }

    /// Options of [`Graph::lp_pool2d`](crate::Graph::lp_pool2d). Pairs are given for height and width.
    LpPool2dOptions, [usize; 2] {}
}

impl From<MaxPool2dOptions> for Pool2d {
    fn from(options: MaxPool2dOptions) -> Self {
        let MaxPool2dOptions { kernel, stride, ceil_mode, padding, dilation } = options;
        Pool2d { stride, ceil_mode, padding, dilation, ..Pool2d::new(kernel) }
    }
}

impl From<MaxPool1dOptions> for Pool2d {
    /// The same along the width of a plane of height one.
    fn from(options: MaxPool1dOptions) -> Self {
        let MaxPool1dOptions { kernel, stride, ceil_mode, padding, dilation } = options;
        let (stride, padding, dilation) = ([1, stride], [0, padding], [1, dilation]);
        Pool2d { stride, ceil_mode, padding, dilation, ..Pool2d::new([1, kernel]) }
    }
}

impl From<AvgPool2dOptions> for Pool2d {
    fn from(options: AvgPool2dOptions) -> Self {
        let AvgPool2dOptions { kernel, stride, ceil_mode, padding, count_include_pad, divisor_override } =
            options;
        Pool2d { stride, ceil_mode, padding, count_include_pad, divisor_override, ..Pool2d::new(kernel) }
    }
}

impl From<AvgPool1dOptions> for Pool2d {
    /// The same along the width of a plane of height one.
    fn from(options: AvgPool1dOptions) -> Self {
        let AvgPool1dOptions { kernel, stride, ceil_mode, padding, count_include_pad } = options;
        let (stride, padding) = ([1, stride], [0, padding]);
        Pool2d { stride, ceil_mode, padding, count_include_pad, ..Pool2d::new([1, kernel]) }
    }
}

impl From<WeightedAvgPool2dOptions> for Pool2d {
    fn from(options: WeightedAvgPool2dOptions) -> Self {
        let WeightedAvgPool2dOptions { kernel, stride, ceil_mode, padding, count_include_pad } = options;
        Pool2d { stride, ceil_mode, padding, count_include_pad, ..Pool2d::new(kernel) }
    }
}

impl From<LpPool2dOptions> for Pool2d {
    fn from(options: LpPool2dOptions) -> Self {
        let LpPool2dOptions { kernel, stride, ceil_mode } = options;
        Pool2d { stride, ceil_mode, ..Pool2d::new(kernel) }
    }
}
