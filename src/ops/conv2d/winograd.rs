//! Convolutions by 3 x 3 windows with Winograd's algorithm: transforms around 16 matrix products. See
//! `shaders/parts/conv2d/conv2d_winograd.wgsl`.

use super::WINOGRAD;
use super::correlation::Operands;
use super::geometry::Geometry;
use crate::error::Result;
use crate::op::occupancy::LANES;
use crate::op::{Caps, LowerContext, MAX_ITERATIONS, Operand, Variant};
use crate::ops::gemm::{Bias, Gemm, Loader, Size, Tiling};
use crate::ops::matmul::{lhs, rhs, store};
use crate::shader::{Kernel, ShaderFile, kernels, parts};

/// Transforms of a tile, and products.
const PRODUCTS: usize = 16;

/// A convolution by 3 x 3 windows in tiles of 2 x 2 results.
#[derive(Clone, Copy, Debug)]
pub(super) struct Winograd {
    images: usize,
    channels: usize,
    results: usize,
    source: [usize; 2],
    result: [usize; 2],
    padding: [i32; 2],
    /// Whether the window is rotated by half a turn, and its two channel dimensions are exchanged.
    flip: bool,
    flops: u64,
}

impl Winograd {
    /// The output, from the input. Other windows, strides, dilations and groups have none.
    pub(super) fn output(g: &Geometry) -> Option<Winograd> {
        let fits = g.kernel == [3, 3] && g.stride == [1, 1] && g.dilation == [1, 1] && g.groups == 1;
        fits.then(|| Winograd {
            images: g.images,
            channels: g.channels,
            results: g.results,
            source: g.size,
            result: g.output,
            padding: g.padding.map(|p| p as i32),
            flip: false,
            flops: 2 * g.multiply_adds(),
        })
    }

    /// The gradient of the input, from the output's.
    pub(super) fn grad_input(g: &Geometry) -> Option<Winograd> {
        Winograd::output(g).map(|output| Winograd {
            channels: g.results,
            results: g.channels,
            source: g.output,
            result: g.size,
            padding: g.padding.map(|p| 2 - p as i32),
            flip: true,
            ..output
        })
    }

    /// Tiles, rounded up to whole vec4s.
    fn columns(&self) -> usize {
        let [h, w] = self.result.map(|size| size.div_ceil(2));
        (self.images * h * w).next_multiple_of(4)
    }

    /// Whether an adapter can bind what is between the dispatches, and one invocation can make an output anew.
    fn fits(&self, caps: &Caps) -> bool {
        let longest =
            [self.channels * self.columns(), self.results * self.columns(), self.channels * self.results];
        let most = (i32::MAX as u64).min(caps.page_bytes() / 4);
        let bound = longest.into_iter().all(|each| (PRODUCTS as u64).saturating_mul(each as u64) <= most);
        bound && self.iterations() <= MAX_ITERATIONS
    }

    /// Whether it is faster than other kernels on a discrete GPU: on an NVIDIA H200 1.3 to 1.8 times with so many
    /// channels. Less work than this does not fill one.
    pub(super) fn pays(&self) -> bool {
        self.channels.min(self.results) >= 64 && self.flops >= 1 << 30
    }

    /// The same for the weight's gradient, which has the larger products.
    pub(super) fn grad_weight_pays(&self) -> bool {
        self.channels.min(self.results) >= 128 && self.flops >= 1 << 30
    }

    /// The variant for output or input gradient, where it is offered.
    pub(super) fn offered(&self, caps: &Caps) -> Option<Variant> {
        self.fits(caps).then_some(WINOGRAD)
    }

    /// The variant for the weight's gradient, where it is offered.
    pub(super) fn grad_weight_offered(&self, caps: &Caps) -> Option<Variant> {
        let pixels = (self.images * self.result[0] * self.result[1]) as u64;
        (self.fits(caps) && pixels <= MAX_ITERATIONS).then_some(WINOGRAD)
    }

    /// Iterations with which an invocation makes its four outputs anew.
    fn iterations(&self) -> u64 {
        4 * self.channels as u64
    }

    fn kernel(&self, cx: &LowerContext<'_>, main: &'static ShaderFile) -> Result<Kernel> {
        Ok(Kernel::new(main)
            .with("IMAGES", cx.index(self.images)?)
            .with("IN", cx.index(self.channels)?)
            .with("OUT", cx.index(self.results)?)
            .with("H", cx.index(self.source[0])?)
            .with("W", cx.index(self.source[1])?)
            .with("OH", cx.index(self.result[0])?)
            .with("OW", cx.index(self.result[1])?)
            .with("PH", self.padding[0])
            .with("PW", self.padding[1])
            .with("FLIP", self.flip))
    }

    /// Records a kernel that transforms so many tiles or windows, and returns what it makes.
    fn transform(
        &self,
        cx: &mut LowerContext<'_>,
        main: &'static ShaderFile,
        operand: Operand,
        count: usize,
    ) -> Result<Operand> {
        let transformed = cx.temporary(PRODUCTS * count);
        let kernel = self.kernel(cx, main)?;
        cx.dispatch(kernel, &[operand, transformed.clone()], count.div_ceil(LANES));
        Ok(transformed)
    }

    /// Records the products of two transformed operands.
    fn products(
        cx: &mut LowerContext<'_>,
        size: Size,
        [a, b]: [Loader; 2],
        operands: [Operand; 2],
    ) -> Result<Operand> {
        let gemm = Gemm {
            body: Tiling::for_gpus(size.m, size.n),
            size,
            lhs: a,
            rhs: b,
            store: store(cx.index(size.n)?),
            common: None,
            bias: Bias::None,
            second_result: None,
        };
        gemm.lower_parts(cx, operands)
    }

    /// Records output or input gradient.
    pub(super) fn lower(&self, cx: &mut LowerContext<'_>, operands: &Operands) -> Result<()> {
        let columns = self.columns();
        let (windows, tiles) = (self.results * self.channels, self.channels * columns);
        let a = self.transform(cx, &kernels::winograd_weight, operands.weight.clone(), windows)?;
        let b = self.transform(cx, &kernels::winograd_input, operands.source.clone(), tiles)?;
        let size = Size { m: self.results, n: columns, k: self.channels, batches: PRODUCTS };
        let (m, n, k) = (cx.index(size.m)?, cx.index(size.n)?, cx.index(size.k)?);
        let products = Winograd::products(cx, size, [lhs(false, m, k), rhs(false, k, n)], [a, b])?;
        let file: Option<&'static ShaderFile> = operands.bias.is_some().then_some(&parts::winograd_bias);
        let kernel = self
            .kernel(cx, &kernels::winograd_output)?
            .fill_all(file)
            .iterations(self.iterations())
            .epilogue_calls(4);
        let mut operands = operands.list();
        operands.insert(3, products);
        cx.dispatch_epilogue(kernel, &operands, (self.results * columns).div_ceil(LANES), 1);
        cx.flops(self.flops);
        Ok(())
    }

    /// Records the weight's gradient.
    pub(super) fn lower_grad_weight(
        &self,
        cx: &mut LowerContext<'_>,
        gradient: Operand,
        input: Operand,
        result: Operand,
    ) -> Result<()> {
        let columns = self.columns();
        let a = self.transform(cx, &kernels::winograd_gradient, gradient.clone(), self.results * columns)?;
        let b = self.transform(cx, &kernels::winograd_input, input.clone(), self.channels * columns)?;
        let size = Size { m: self.results, n: self.channels, k: columns, batches: PRODUCTS };
        let (m, n, k) = (cx.index(size.m)?, cx.index(size.n)?, cx.index(size.k)?);
        let products = Winograd::products(cx, size, [lhs(false, m, k), rhs(true, k, n)], [a, b])?;
        let pixels = self.images * self.result[0] * self.result[1];
        let kernel = self.kernel(cx, &kernels::winograd_grad_weight)?.iterations(pixels as u64);
        let windows = self.results * self.channels;
        cx.dispatch(kernel, &[gradient, input, result, products], windows.div_ceil(LANES));
        cx.flops(self.flops);
        Ok(())
    }
}
