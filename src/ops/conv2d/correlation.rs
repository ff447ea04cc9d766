//! Output and gradient of the input as one family of correlations, and its sliding-window kernels. See
//! `shaders/parts/conv2d/conv2d_correlation.wgsl`.

use super::geometry::{Geometry, greatest_common_divisor};
use super::{DEPTHWISE, DIRECT, DIRECT_ROW, DIRECT_SUBGROUP};
use crate::error::Result;
use crate::op::{Caps, LowerContext, MAX_ITERATIONS, Operand, Variant};
use crate::ops::gemm::{Loader, Tiling};
use crate::shader::{Kernel, ShaderFile, kernels, parts};

/// The most iterations of a loop that the software adapter's compiler unrolls. Arrays indexed by a loop that is not
/// unrolled leave the registers.
pub(super) const MOST_UNROLLED: usize = 32;

/// The widest tile of a row that is narrow for a software adapter.
const NARROW: usize = 8;

/// Iterations of the loop in which the sliding-window kernels store the channels of a block.
const STORE: u64 = 32;

/// Result p of an axis is the sum, over the taps k for which (p stride + k dilation - padding) / upsample is whole,
/// of weight k times the source there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Correlation {
    pub(super) images: usize,
    pub(super) groups: usize,
    /// Channels of one group's sources and results.
    pub(super) channels: usize,
    pub(super) results: usize,
    pub(super) source: [usize; 2],
    pub(super) result: [usize; 2],
    pub(super) kernel: [usize; 2],
    pub(super) stride: [usize; 2],
    /// If it is not one, the stride is.
    pub(super) upsample: [usize; 2],
    pub(super) dilation: [usize; 2],
    pub(super) padding: [i32; 2],
    /// Whether the window is rotated by half a turn, and its two channel dimensions are exchanged.
    flip: bool,
    pub(super) flops: u64,
}

/// What a correlation reads and writes.
#[derive(Clone, Debug)]
pub(super) struct Operands {
    pub(super) weight: Operand,
    pub(super) source: Operand,
    pub(super) result: Operand,
    pub(super) bias: Option<Operand>,
}

impl Operands {
    /// In the order of the kernels' bindings.
    pub(super) fn list(&self) -> Vec<Operand> {
        let Operands { weight, source, result, bias } = self.clone();
        [weight, source, result].into_iter().chain(bias).collect()
    }
}

/// The division of a row of results into tiles.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tile {
    pub(super) width: usize,
    pub(super) block: usize,
    /// With loads of four elements: the distance of a tile's start past a multiple of four.
    pub(super) shift: Option<usize>,
    /// Neighbouring rows of a phase that a workgroup's invocations share.
    pub(super) rows: usize,
}

impl Correlation {
    /// The output, from the input.
    pub(super) fn output(g: &Geometry) -> Correlation {
        Correlation {
            images: g.images,
            groups: g.groups,
            channels: g.channels,
            results: g.results,
            source: g.size,
            result: g.output,
            kernel: g.kernel,
            stride: g.stride,
            upsample: [1, 1],
            dilation: g.dilation,
            padding: g.padding.map(|p| p as i32),
            flip: false,
            flops: 2 * g.multiply_adds(),
        }
    }

    /// The gradient of the input, from the output's.
    pub(super) fn grad_input(g: &Geometry) -> Correlation {
        let padding = [0, 1].map(|i| (g.dilation[i] * (g.kernel[i] - 1)) as i32 - g.padding[i] as i32);
        Correlation {
            channels: g.results,
            results: g.channels,
            source: g.output,
            result: g.size,
            stride: [1, 1],
            upsample: g.stride,
            padding,
            flip: true,
            ..Correlation::output(g)
        }
    }

    /// Results before the first one that the first tile also covers, so that tiles start in phase.
    fn lead(&self, axis: usize) -> usize {
        (-self.padding[axis]).rem_euclid(self.upsample[axis] as i32) as usize
    }

    /// Sources that `tile` neighbouring results need along an axis.
    pub(super) fn span(&self, axis: usize, tile: usize) -> usize {
        ((tile - 1) * self.stride[axis] + (self.kernel[axis] - 1) * self.dilation[axis]) / self.upsample[axis]
            + 1
    }

    /// The sliding-window kernels that can compute this. If the sources of even four neighbouring results don't fit
    /// in registers, sliding takes hundreds of times as long as a product.
    pub(super) fn variants(&self, depthwise: bool, caps: &Caps) -> Vec<Variant> {
        let fits = |axis: usize, results: usize| {
            let tile = results.next_multiple_of(self.upsample[axis]);
            tile <= MOST_UNROLLED && self.span(axis, tile) <= MOST_UNROLLED
        };
        let short = |iterations: u64| iterations <= MAX_ITERATIONS;
        let direct = (fits(1, 4) && short(self.direct_iterations())).then_some(DIRECT);
        let subgroup = direct.and(Tiling::subgroup(caps)).map(|_| DIRECT_SUBGROUP);
        let depthwise =
            depthwise && fits(0, 1) && fits(1, 4) && short((self.channels + MOST_UNROLLED) as u64);
        let depthwise = depthwise.then_some(DEPTHWISE);
        let row = (caps.kind.is_software() && self.slides_along_rows()).then_some(DIRECT_ROW);
        direct.into_iter().chain(depthwise).chain(subgroup).chain(row).collect()
    }

    /// Loop iterations of an invocation of the sliding-window kernels: source channels and rows of the window, the
    /// search for the first row, and the store. Loops over registers are unrolled.
    fn direct_iterations(&self) -> u64 {
        let (step, rows) = (self.step() as u64, self.kernel[0].div_ceil(self.step()) as u64);
        (self.channels as u64).saturating_mul(rows).saturating_add(step + STORE)
    }

    pub(super) fn tiles(&self, axis: usize, tile: usize) -> usize {
        (self.result[axis] + self.lead(axis)).div_ceil(tile)
    }

    /// Distance between taps that meet a source, along a column.
    pub(super) fn step(&self) -> usize {
        self.upsample[0] / greatest_common_divisor(self.upsample[0], self.dilation[0])
    }

    /// The tile with the least work for the sliding-window kernels, in multiply-adds of a whole row for one source
    /// channel and tap row. A load counts as dozens of multiply-adds.
    pub(super) fn sliding_tile(&self, software: bool) -> Tile {
        let (most_sums, most_block, most_width) = if software { (448, 16, 32) } else { (64, 8, 8) };
        let most_width = most_width.max(self.upsample[1]);
        let block = |most: usize| self.results.div_ceil(self.results.div_ceil(most));
        let mut best = (usize::MAX, Tile { width: self.upsample[1], block: block(8), shift: None, rows: 1 });
        for width in (self.upsample[1]..=most_width).step_by(self.upsample[1]) {
            let span = self.span(1, width);
            if span > MOST_UNROLLED && width > self.upsample[1] {
                break;
            }
            let block = block((most_sums / width).clamp(1, most_block));
            let fours = self.shift(width).map(Some);
            for shift in [None].into_iter().chain(fours) {
                let loads = shift.map_or(68 * span, |shift| 48 * (shift + span).next_multiple_of(4));
                let weights = 68 * self.kernel[1] * block.div_ceil(8);
                let products = 2 * block * width * self.kernel[1] / self.upsample[1];
                let blocks = self.results.div_ceil(block);
                let work = (loads + weights + products) * blocks * self.tiles(1, width);
                if work < best.0 {
                    best = (work, Tile { width, block, shift, rows: 1 });
                }
            }
        }
        let mut tile = best.1;
        if software && tile.width <= NARROW {
            // A load serves so few results that twice as many channels pay.
            tile.block = block(2 * most_block);
        }
        Tile { rows: self.shared_rows(tile.width, if software { 8 } else { 32 }), ..tile }
    }

    /// How far past a multiple of four the sources of tiles of this width start, if all do so.
    fn shift(&self, width: usize) -> Option<usize> {
        let sources = width * self.stride[1] / self.upsample[1];
        let start =
            (-(self.lead(1) as i32) * self.stride[1] as i32 - self.padding[1]) / self.upsample[1] as i32;
        let in_fours = self.source[1].is_multiple_of(4) && sources.is_multiple_of(4);
        in_fours.then_some(start.rem_euclid(4) as usize)
    }

    /// Rows that a workgroup shares so that the rounds of vectors of so many invocations are the fewest. In one row
    /// they skip the taps that lie outside the plane; in several they do not.
    fn shared_rows(&self, width: usize, lanes: usize) -> usize {
        let lines = self.result[0].div_ceil(self.upsample[0]);
        let taps = self.upsample[0].min(self.result[0]) * self.kernel[0].div_ceil(self.step());
        let vectors = |rows: usize| (self.images * rows * self.tiles(1, width)).div_ceil(lanes);
        let rounds = |rows: usize| vectors(rows) * lines.div_ceil(rows) * taps;
        let skipping = vectors(1) * self.column_taps();
        let fewest = (2..=lines.min(lanes)).min_by_key(|&rows| rounds(rows));
        fewest.filter(|&rows| rounds(rows) < skipping).unwrap_or(1)
    }

    fn constants(&self, cx: &LowerContext<'_>) -> Result<Loader> {
        Ok(Loader::new(&parts::conv2d_shape)
            .with("IMAGES", cx.index(self.images)?)
            .with("GROUPS", cx.index(self.groups)?)
            .with("IN", cx.index(self.channels)?)
            .with("OUT", cx.index(self.results)?)
            .with("H", cx.index(self.source[0])?)
            .with("W", cx.index(self.source[1])?)
            .with("OH", cx.index(self.result[0])?)
            .with("OW", cx.index(self.result[1])?)
            .with("KH", cx.index(self.kernel[0])?)
            .with("KW", cx.index(self.kernel[1])?)
            .with("SH", cx.index(self.stride[0])?)
            .with("SW", cx.index(self.stride[1])?)
            .with("PH", self.padding[0])
            .with("PW", self.padding[1])
            .with("DH", cx.index(self.dilation[0])?)
            .with("DW", cx.index(self.dilation[1])?)
            .with("UH", cx.index(self.upsample[0])?)
            .with("UW", cx.index(self.upsample[1])?)
            .with("LEAD_W", cx.index(self.lead(1))?)
            .with("FLIP", self.flip))
    }

    pub(super) fn kernel(
        &self,
        cx: &LowerContext<'_>,
        bias: bool,
        main: &'static ShaderFile,
    ) -> Result<Kernel> {
        let bias: Option<&'static ShaderFile> = bias.then_some(&parts::gemm_bias_rows);
        Ok(self.constants(cx)?.set(Kernel::new(main).fill_all(bias)))
    }

    /// Records the sliding window of the plan's variant.
    pub(super) fn lower(&self, cx: &mut LowerContext<'_>, operands: &Operands) -> Result<()> {
        match cx.variant() {
            DEPTHWISE => self.lower_depthwise(cx, operands),
            DIRECT_ROW => self.lower_row(cx, operands),
            variant => self.lower_direct(cx, variant == DIRECT_SUBGROUP, operands),
        }
    }

    /// Records the sliding-window kernel. With `subgroup`, lanes share the loading of weights.
    fn lower_direct(&self, cx: &mut LowerContext<'_>, subgroup: bool, operands: &Operands) -> Result<()> {
        let tile = self.sliding_tile(cx.caps().kind.is_software());
        let row = if tile.shift.is_some() { &parts::conv2d_row_vec4 } else { &parts::conv2d_row };
        let main = if subgroup { &kernels::conv2d_direct_subgroup } else { &kernels::conv2d_direct };
        let places = self.images * tile.rows * self.tiles(1, tile.width);
        let waste = |lanes: usize| places.next_multiple_of(lanes);
        let lanes = if waste(32) == waste(8) {
            32
        } else if waste(16) == waste(8) {
            16
        } else {
            8
        };
        let mut kernel = self
            .kernel(cx, operands.bias.is_some(), main)?
            .fill(row)
            .with("STEP_H", cx.index(self.step())?)
            .with("TILE_W", cx.index(tile.width)?)
            .with("BLOCK", cx.index(tile.block)?)
            .with("LANES", cx.index(lanes)?)
            .with("ROWS", cx.index(tile.rows)?)
            .iterations(self.direct_iterations())
            .epilogue_calls((tile.block * tile.width) as u64);
        if let Some(shift) = tile.shift {
            kernel = kernel.with("SHIFT", cx.index(shift)?);
        }
        let blocks = self.results.div_ceil(tile.block);
        let [height, phases] = [self.result[0], self.upsample[0]];
        let chunks = height.div_ceil(phases).div_ceil(tile.rows) * phases.min(height);
        let workgroups = blocks * chunks * self.groups * places.div_ceil(lanes);
        cx.dispatch_epilogue(kernel, &operands.list(), workgroups, 1);
        cx.flops(self.flops);
        Ok(())
    }

    /// Records the kernel for groups of one source or one result channel.
    fn lower_depthwise(&self, cx: &mut LowerContext<'_>, operands: &Operands) -> Result<()> {
        let software = cx.caps().kind.is_software();
        let (most_width, most_height, most_products) = if software { (16, 4, 640) } else { (4, 2, 256) };
        // The largest tile of whole phases whose rows stay in registers.
        let fit = |axis: usize, most: usize| {
            let phases = self.upsample[axis];
            let most = most.min((self.result[axis] + self.lead(axis)).next_multiple_of(phases)).max(phases);
            (1..=most / phases)
                .rev()
                .map(|n| n * phases)
                .find(|&tile| self.span(axis, tile) <= MOST_UNROLLED)
                .unwrap_or(phases)
        };
        let width = fit(1, most_width);
        let taps = self.kernel[0] * self.kernel[1];
        let phases = self.upsample[0] * self.upsample[1];
        let height =
            fit(0, (most_products * phases / (width * taps)).clamp(1, most_height * self.upsample[0]));
        let shift = self.shift(width);
        let row = if shift.is_some() { &parts::conv2d_row_vec4 } else { &parts::conv2d_row };
        let mut kernel = self
            .kernel(cx, operands.bias.is_some(), &kernels::conv2d_depthwise)?
            .fill(row)
            .with("LEAD_H", cx.index(self.lead(0))?)
            .with("TILE_H", cx.index(height)?)
            .with("TILE_W", cx.index(width)?)
            // Inner loops over registers are unrolled.
            .iterations((self.channels + height) as u64)
            .epilogue_calls((height * width) as u64);
        if let Some(shift) = shift {
            kernel = kernel.with("SHIFT", cx.index(shift)?);
        }
        let tiles = self.tiles(0, height) * self.tiles(1, width);
        let invocations = self.images * self.groups * self.results * tiles;
        cx.index(invocations)?;
        cx.dispatch_epilogue(kernel, &operands.list(), invocations.div_ceil(64), 1);
        cx.flops(self.flops);
        Ok(())
    }
}
