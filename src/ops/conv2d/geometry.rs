//! Sizes of a convolution, and the constants that all passes' kernels get from them.

use crate::error::Result;
use crate::op::LowerContext;
use crate::ops::gemm::{Loader, Size, Store};
use crate::shader::{Kernel, ShaderFile, parts};
use crate::tensor::Shape;

/// All sizes of a convolution. `channels` and `results` count one group's inputs and outputs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Geometry {
    pub groups: usize,
    /// One if there is a single output along the axis.
    pub stride: [usize; 2],
    /// One if there is a single tap along the axis.
    pub dilation: [usize; 2],
    /// Zeros above and left of the input. The output's size says how many follow.
    pub padding: [usize; 2],
    pub images: usize,
    pub channels: usize,
    pub results: usize,
    pub size: [usize; 2],
    pub kernel: [usize; 2],
    pub output: [usize; 2],
}

impl Geometry {
    pub(super) fn pixels(&self) -> usize {
        self.output[0] * self.output[1]
    }

    /// Elements of the unrolled input, if kernels can index them.
    pub(super) fn unrolled(&self) -> Option<usize> {
        let rows = self.groups * self.channels * self.taps();
        rows.checked_mul(self.images * self.pixels()).filter(|&elements| elements <= i32::MAX as usize)
    }

    pub(super) fn taps(&self) -> usize {
        self.kernel[0] * self.kernel[1]
    }

    pub(super) fn input_shape(&self) -> Shape {
        Shape::from([self.images, self.channels * self.groups, self.size[0], self.size[1]])
    }

    pub(super) fn weight_shape(&self) -> Shape {
        Shape::from([self.results * self.groups, self.channels, self.kernel[0], self.kernel[1]])
    }

    pub(super) fn output_shape(&self) -> Shape {
        Shape::from([self.images, self.results * self.groups, self.output[0], self.output[1]])
    }

    pub(super) fn multiply_adds(&self) -> u64 {
        let outputs = self.images * self.results * self.groups * self.pixels();
        (outputs * self.channels * self.taps()) as u64
    }

    /// The output as a product of the weight and the unrolled input, for each group.
    pub(super) fn output_product(&self) -> Size {
        let (n, k) = (self.images * self.pixels(), self.channels * self.taps());
        Size { m: self.results, n, k, batches: self.groups }
    }

    /// The weight's gradient as a product of the output's gradient and the unrolled input.
    pub(super) fn grad_weight_product(&self) -> Size {
        let (n, k) = (self.channels * self.taps(), self.images * self.pixels());
        Size { m: self.results, n, k, batches: self.groups }
    }

    /// Constants of `conv2d_shape`.
    pub(super) fn constants(&self, cx: &LowerContext<'_>) -> Result<Loader> {
        let Geometry { stride, padding, dilation, .. } = *self;
        Ok(Loader::new(&parts::conv2d_shape)
            .with("IMAGES", cx.index(self.images)?)
            .with("GROUPS", cx.index(self.groups)?)
            .with("IN", cx.index(self.channels)?)
            .with("OUT", cx.index(self.results)?)
            .with("H", cx.index(self.size[0])?)
            .with("W", cx.index(self.size[1])?)
            .with("OH", cx.index(self.output[0])?)
            .with("OW", cx.index(self.output[1])?)
            .with("KH", cx.index(self.kernel[0])?)
            .with("KW", cx.index(self.kernel[1])?)
            .with("SH", cx.index(stride[0])?)
            .with("SW", cx.index(stride[1])?)
            .with("PH", cx.index(padding[0])? as i32)
            .with("PW", cx.index(padding[1])? as i32)
            .with("DH", cx.index(dilation[0])?)
            .with("DW", cx.index(dilation[1])?))
    }

    /// A kernel that uses `conv2d_shape`.
    pub(super) fn kernel(&self, cx: &LowerContext<'_>, main: &'static ShaderFile) -> Result<Kernel> {
        Ok(self.constants(cx)?.set(Kernel::new(main)))
    }

    /// Whether every group has one input channel and there are several groups, or one output channel and
    /// few input channels, as in the gradient of a transposed depthwise convolution with a multiplier.
    pub(super) fn is_depthwise(&self) -> bool {
        const MOST: usize = 4;
        self.groups > 1 && (self.channels == 1 || self.results == 1 && self.channels <= MOST)
    }

    /// Whether the convolution is a product over the channels of each pixel (1 x 1), and four pixels of a plane can
    /// be loaded at once.
    pub(super) fn is_pointwise_in_fours(&self) -> bool {
        self.kernel == [1, 1]
            && self.stride == [1, 1]
            && self.padding == [0, 0]
            && self.output == self.size
            && self.pixels().is_multiple_of(4)
    }
}

/// Stores into planes of `pixels`.
pub(super) fn plane_store(pixels: usize, cx: &LowerContext<'_>) -> Result<Store> {
    let (file, width) =
        if pixels.is_multiple_of(4) { (&parts::conv2d_store_vec4, 4) } else { (&parts::conv2d_store, 1) };
    Ok(Store { part: Loader::new(file).with("PIXELS", cx.index(pixels)?), width })
}

/// The greatest common divisor of two numbers, neither of them zero.
pub(super) fn greatest_common_divisor(a: usize, b: usize) -> usize {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}
