//! The kernels of the weight's gradient that are not matrix products.

use super::correlation::MOST_UNROLLED;
use super::geometry::Geometry;
use crate::error::Result;
use crate::op::occupancy;
use crate::op::{Caps, LowerContext, MAX_ITERATIONS, Operand};
use crate::ops::gemm::Gemm;
use crate::ops::parts::{self, Sum, scratch};
use crate::shader::{self, kernels};

/// The most taps that one workgroup of the depthwise kernel makes: its sums lie in workgroup memory.
const MOST_DEPTHWISE_TAPS: usize = 32;

/// The most elements of an input row that an invocation of the depthwise kernel holds.
const MOST_SPAN: usize = 128;

/// The most sums that an invocation of the sliding-window kernel holds, on software adapters and on GPUs.
const MOST_SUMS: (usize, usize) = (128, 64);

/// The most multiply-adds in its unrolled innermost loops. More make a kernel longer and no faster.
const MOST_PRODUCTS: usize = 128;

/// The sliding-window kernel's division of an output row and its channels into tiles.
#[derive(Clone, Copy, Debug)]
struct Tile {
    width: usize,
    block: usize,
    /// With loads of four input elements: the distance of a tile's start past a multiple of four.
    shift: Option<usize>,
    /// Whether the gradient is loaded four elements at a time.
    in_fours: bool,
}

/// Invocations of a workgroup of the depthwise kernel, on software adapters, where a barrier costs more the more there
/// are, and on GPUs.
const DEPTHWISE_LANES: (usize, usize) = (8, 64);

/// The sliding-window kernel's division of the output's rows.
#[derive(Clone, Copy, Debug)]
struct Rows {
    tile: Tile,
    /// Invocations that make one part of the sum.
    per_split: usize,
    /// Rows that an invocation sums, and the loop iterations that this takes.
    count: usize,
    iterations: u64,
}

impl Geometry {
    /// Whether the sliding-window kernel can hold its sums and its stretch of a row in registers, and one invocation
    /// can loop over a row of the output.
    pub(super) fn grad_weight_slides(&self, caps: &Caps) -> bool {
        let fits = self.taps() <= MOST_SUMS.0
            && self.kernel.iter().all(|&taps| taps <= MOST_UNROLLED)
            && self.span(1) <= MOST_UNROLLED;
        fits && {
            let rows = self.grad_weight_rows(caps);
            let splits = self.images * self.output[0] / rows.count;
            rows.iterations <= MAX_ITERATIONS && splits as u64 <= MAX_ITERATIONS
        }
    }

    /// Divides the output's rows for the sliding-window kernel.
    fn grad_weight_rows(&self, caps: &Caps) -> Rows {
        let software = caps.kind.is_software();
        let tile = self.grad_weight_tile(software);
        let per_split = self.results.div_ceil(tile.block) * self.channels * self.groups;
        let lines = self.images * self.output[0];
        let wanted = occupancy::sliding_sum(caps.kind);
        let tiles = self.output[1].div_ceil(tile.width);
        // Storing takes a loop over the rows of the window.
        let most = ((MAX_ITERATIONS as usize - self.kernel[0].min(MOST_UNROLLED)) / tiles).max(1);
        let count = lines.div_ceil((wanted / per_split).clamp(1, lines)).min(most);
        Rows { tile, per_split, count, iterations: (count * tiles + self.kernel[0]) as u64 }
    }

    /// Elements of an input row that neighbouring windows meet.
    fn span(&self, windows: usize) -> usize {
        (windows - 1) * self.stride[1] + (self.kernel[1] - 1) * self.dilation[1] + 1
    }

    /// The tile with the least work for the sliding-window kernel, in multiply-adds of a whole output row for one
    /// input channel. A load counts as dozens of multiply-adds.
    fn grad_weight_tile(&self, software: bool) -> Tile {
        let (most_sums, most_width) = if software { (MOST_SUMS.0, 32) } else { (MOST_SUMS.1, 8) };
        let most_block = (most_sums / self.taps()).clamp(1, 8);
        let even = |size: usize, most: usize| size.div_ceil(size.div_ceil(most));
        let mut best = (usize::MAX, Tile { width: 1, block: 1, shift: None, in_fours: false });
        for width in 1..=most_width.min(self.output[1].next_multiple_of(4)) {
            let span = self.span(width);
            if span > MOST_UNROLLED {
                break;
            }
            let block = even(self.results, (MOST_PRODUCTS / (width * self.kernel[1])).clamp(1, most_block));
            let in_fours = self.output[1].is_multiple_of(4) && width.is_multiple_of(4);
            let shift = (-(self.padding[1] as i32)).rem_euclid(4) as usize;
            let row_in_fours = self.size[1].is_multiple_of(4) && (width * self.stride[1]).is_multiple_of(4);
            let shift = row_in_fours.then_some(shift);
            let gradients = if in_fours { 48 } else { 68 } * block * width;
            let row = shift.map_or(68 * span, |shift| 48 * (shift + span).next_multiple_of(4));
            let products = 2 * block * width * self.kernel[1] + block * self.taps();
            let work = (gradients + self.kernel[0] * (row + products))
                * self.results.div_ceil(block)
                * self.output[1].div_ceil(width);
            if work < best.0 {
                best = (work, Tile { width, block, shift, in_fours });
            }
        }
        best.1
    }

    /// Records the sliding-window kernel, and the sum of its invocations' parts as in `gemm`.
    pub(super) fn lower_grad_weight_direct(
        &self,
        cx: &mut LowerContext<'_>,
        gemm: &Gemm,
        gradient: Operand,
        input: Operand,
        result: Operand,
    ) -> Result<()> {
        let Rows { tile, per_split, count: rows, iterations } = self.grad_weight_rows(cx.caps());
        let lanes = if cx.caps().kind.is_software() { 8 } else { 32 };
        let splits = (self.images * self.output[0]).div_ceil(rows);
        let parts = gemm.parts(cx, splits)?;
        let gradients = if tile.in_fours {
            &shader::parts::conv2d_gradient_tile_vec4
        } else {
            &shader::parts::conv2d_gradient_tile
        };
        let row =
            if tile.shift.is_some() { &shader::parts::conv2d_row_vec4 } else { &shader::parts::conv2d_row };
        let mut kernel = self
            .kernel(cx, &kernels::conv2d_grad_weight_direct)?
            .fill(gradients)
            .fill(row)
            .with("BLOCK", cx.index(tile.block)?)
            .with("TILE_W", cx.index(tile.width)?)
            .with("LANES", lanes as u32)
            .with("ROWS", cx.index(rows)?)
            .iterations(iterations);
        if let Some(shift) = tile.shift {
            kernel = kernel.with("SHIFT", cx.index(shift)?);
        }
        cx.dispatch(kernel, &[gradient, input, parts.clone()], per_split * splits.div_ceil(lanes));
        cx.flops(2 * self.multiply_adds());
        gemm.lower_sum(cx, splits, parts, result)
    }

    /// Records the kernel for groups of one input or one output channel: a workgroup for each pair of an
    /// output and an input channel.
    pub(super) fn lower_grad_weight_depthwise(
        &self,
        cx: &mut LowerContext<'_>,
        gradient: Operand,
        input: Operand,
        result: Operand,
    ) -> Result<()> {
        let even = |size: usize, most: usize| size.div_ceil(size.div_ceil(most));
        // With a wide dilation or stride, taps and a tile meet long rows.
        let most_w = ((MOST_SPAN / 2 - 1) / self.dilation[1] + 1).min(8);
        let taps_w = even(self.kernel[1], most_w);
        let taps_h = even(self.kernel[0], MOST_DEPTHWISE_TAPS / taps_w);
        let chunks = self.kernel[0].div_ceil(taps_h) * self.kernel[1].div_ceil(taps_w);
        let software = cx.caps().kind.is_software();
        let (most_tile, lanes) = if software { (16, DEPTHWISE_LANES.0) } else { (4, DEPTHWISE_LANES.1) };
        let most_tile = most_tile.min((MOST_SPAN / 2 - 1) / self.stride[1] + 1);
        let tile = even(self.output[1], most_tile);
        let span = (tile - 1) * self.stride[1] + (taps_w - 1) * self.dilation[1] + 1;
        let stretches = self.images * self.output[0] * self.output[1].div_ceil(tile);
        // Longer loops are not unrolled.
        let each = if span > MOST_UNROLLED { taps_h * (1 + span) } else { 0 } as u64;
        let iterations = |parts: usize| {
            let own = stretches.div_ceil(parts).div_ceil(lanes) as u64;
            own * (1 + each) + (2 + taps_h + lanes) as u64
        };
        let pairs = self.groups * self.results * self.channels;
        let (wanted, least) = occupancy::depthwise_sum(cx.caps().kind);
        let filling = (wanted / (pairs * chunks)).min(stretches / (lanes * least)).max(1);
        let short = if iterations(1) <= MAX_ITERATIONS {
            1
        } else {
            (2 * iterations(1)).div_ceil(MAX_ITERATIONS) as usize
        };
        let parts = short.max(filling);
        let kernel = self
            .kernel(cx, &kernels::conv2d_depthwise_grad_weight)?
            .with("TAPS_H", cx.index(taps_h)?)
            .with("TAPS_W", cx.index(taps_w)?)
            .with("TILE_W", cx.index(tile)?)
            .with("LANES", lanes as u32)
            .with("PARTS", cx.index(parts)?)
            .iterations(iterations(parts));
        let elements = pairs * self.taps();
        let to = if parts == 1 { result } else { scratch(cx, elements, parts, 1)? };
        cx.dispatch(kernel, &[gradient, input, to.clone()], pairs * chunks * parts);
        cx.flops(2 * self.multiply_adds());
        if parts == 1 {
            return Ok(());
        }
        let finalize = &parts::plain;
        parts::sum(cx, to, parts, &Sum { elements, width: 1, result: None, finalize, beside: None })
    }
}
