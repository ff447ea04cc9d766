//! What can be set of convolutions and of transposed ones, in one and two dimensions, with PyTorch's names and
//! defaults. All of it becomes attributes of the operator, `Conv2d`.

use super::Padding;

/// Options of `axes` dimensions, and what transposed convolutions have beyond them.
macro_rules! options {
    ($($(#[$doc:meta])* $fields:vis $name:ident, $axes:literal, $size:ty, $one:expr, [$($output_padding:ident, $none:expr)?];)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        pub struct $name {
            /// Steps between windows.
            $fields stride: $size,
            /// Zeros around the input of the convolution.
            $fields padding: Padding<$axes>,
            /// Steps between the taps of a window.
            $fields dilation: $size,
            /// Groups of channels that see nothing of each other.
            $fields groups: usize,
            $(
                /// What a transposed convolution's result has past the end of the last window.
                $fields $output_padding: $size,
            )?
        }

        impl Default for $name {
            fn default() -> Self {
                $name {
                    stride: $one,
                    padding: Padding::default(),
                    dilation: $one,
                    groups: 1,
                    $($output_padding: $none,)?
                }
            }
        }

        impl $name {
            /// PyTorch's defaults: stride 1, no padding, no dilation, one group.
            pub fn new() -> Self {
                $name::default()
            }

            /// Sets the steps between windows.
            #[must_use]
            pub fn stride(mut self, stride: $size) -> Self {
                self.stride = stride;
                self
            }

            /// Sets the zeros around the convolution's input, by number or by name. A transposed convolution leaves
            /// as much of its result out.
            #[must_use]
            pub fn padding(mut self, padding: impl Into<Padding<$axes>>) -> Self {
                self.padding = padding.into();
                self
            }

            /// Sets the steps between the taps of a window.
            #[must_use]
            pub fn dilation(mut self, dilation: $size) -> Self {
                self.dilation = dilation;
                self
            }

            /// Sets the number of groups of channels that see nothing of each other.
            #[must_use]
            pub fn groups(mut self, groups: usize) -> Self {
                self.groups = groups;
                self
            }

            $(
                /// Sets how many elements the result has past the end of the last window, less than stride or
                /// dilation.
                #[must_use]
                pub fn $output_padding(mut self, $output_padding: $size) -> Self {
                    self.$output_padding = $output_padding;
                    self
                }
            )?
        }
    )*};
}

options! {
    /// The operator: convolution (cross-correlation) of x (N, C, H, W) by a weight (out, C / groups, kh, kw), and perhaps
    /// a bias (out). Pairs are for height and width.
    ///
    /// With an output padding, no window meets so many rows and columns at the end of the padded input: it is the
    /// gradient of a transposed convolution that has one.
    pub Conv2d, 2, [usize; 2], [1, 1], [output_padding, [0, 0]];

    /// Options of [`Graph::conv1d`](crate::Graph::conv1d) and [`Graph::convolution1d`](crate::Graph::convolution1d).
    pub(crate) Conv1dOptions, 1, usize, 1, [];

    /// Options of [`Graph::conv2d`](crate::Graph::conv2d) and [`Graph::convolution2d`](crate::Graph::convolution2d).
    /// Pairs are given for height and width.
    pub(crate) Conv2dOptions, 2, [usize; 2], [1, 1], [];

    /// Options of [`Graph::conv_transpose1d`](crate::Graph::conv_transpose1d).
    pub(crate) ConvTranspose1dOptions, 1, usize, 1, [output_padding, 0];

    /// Options of [`Graph::conv_transpose2d`](crate::Graph::conv_transpose2d). Pairs are given for height and width.
    pub(crate) ConvTranspose2dOptions, 2, [usize; 2], [1, 1], [output_padding, [0, 0]];
}

impl From<Conv2dOptions> for Conv2d {
    fn from(options: Conv2dOptions) -> Self {
        let Conv2dOptions { stride, padding, dilation, groups } = options;
        Conv2d { stride, padding, dilation, groups, output_padding: [0, 0] }
    }
}

impl From<ConvTranspose2dOptions> for Conv2d {
    /// The convolution whose input gradient the transposed one is.
    fn from(options: ConvTranspose2dOptions) -> Self {
        let ConvTranspose2dOptions { stride, padding, dilation, groups, output_padding } = options;
        Conv2d { stride, padding, dilation, groups, output_padding }
    }
}

impl From<Conv1dOptions> for Conv2dOptions {
    /// The same along the width of an image of height one.
    fn from(options: Conv1dOptions) -> Self {
        let Conv1dOptions { stride, padding, dilation, groups } = options;
        let padding = along_width(padding);
        Conv2dOptions { stride: [1, stride], padding, dilation: [1, dilation], groups }
    }
}

impl From<ConvTranspose1dOptions> for ConvTranspose2dOptions {
    /// The same along the width of an image of height one.
    fn from(options: ConvTranspose1dOptions) -> Self {
        let ConvTranspose1dOptions { stride, padding, dilation, groups, output_padding } = options;
        ConvTranspose2dOptions {
            stride: [1, stride],
            padding: along_width(padding),
            dilation: [1, dilation],
            groups,
            output_padding: [0, output_padding],
        }
    }
}

fn along_width(padding: Padding<1>) -> Padding<2> {
    match padding {
        Padding::Sides([sides]) => Padding::Sides([[0, 0], sides]),
        Padding::Valid => Padding::Valid,
        Padding::Half => Padding::Half,
        Padding::Same => Padding::Same,
        Padding::Full => Padding::Full,
    }
}

impl Conv2dOptions {
    /// The padding in numbers, for a node in front, and the options without it.
    pub(crate) fn without_padding(&self, kernel: [usize; 2]) -> Result<([[usize; 2]; 2], Self), String> {
        let attributes = Conv2d::from(*self);
        attributes.check()?;
        Ok((attributes.sides(kernel), self.padding(Padding::Valid)))
    }
}

impl Conv1dOptions {
    /// The padding in numbers, for a node in front, and the options without it.
    pub(crate) fn without_padding(&self, kernel: usize) -> Result<([[usize; 2]; 1], Self), String> {
        let ([_, sides], _) = Conv2dOptions::from(*self).without_padding([1, kernel])?;
        Ok(([sides], self.padding(Padding::Valid)))
    }
}
