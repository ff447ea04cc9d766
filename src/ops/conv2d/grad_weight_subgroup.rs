//! The sliding window of the weight's gradient whose invocations differ in the input channel, for software adapters.
//! Its sums need more registers than a GPU's invocation has.

use super::correlation::MOST_UNROLLED;
use super::estimate;
use super::geometry::Geometry;
use crate::error::Result;
use crate::op::{AdapterKind, Caps, LowerContext, MAX_ITERATIONS, Operand, occupancy};
use crate::ops::gemm::{Gemm, Tiling};
use crate::shader::{kernels, parts};

/// Invocations of a workgroup, and output channels that they share the loading of.
const LANES: usize = 8;

/// The most output channels of an invocation. Those of longer arrays leave the registers.
const MOST_BLOCK: usize = 16;

/// The most sums of an invocation, and the most multiply-adds in its unrolled innermost loops: twice as many are more
/// code than a processor's nearest cache holds.
const MOST_SUMS: usize = 256;
const MOST_PRODUCTS: usize = 1200;

/// The most neighbours of a row that an invocation takes at a time.
const MOST_WIDTH: usize = 16;

/// How the kernel divides the work.
#[derive(Clone, Copy, Debug)]
pub(super) struct Division {
    width: usize,
    /// Output channels of an invocation, a multiple of eight.
    block: usize,
    /// With loads of four input elements: the distance of a stretch's start past a multiple of four.
    shift: Option<usize>,
    /// Whether the gradient is loaded four elements at a time.
    in_fours: bool,
    /// Columns of stretches that an invocation sums.
    units: usize,
}

impl Geometry {
    /// How the kernel divides the work, if it can compute this.
    pub(super) fn grad_weight_division(&self) -> Option<Division> {
        let narrow = self.channels < LANES || self.results < LANES || self.is_depthwise();
        // A single tap serves a loaded element once, as in a product.
        if narrow || self.stride[0] != 1 || self.dilation[0] != 1 || self.taps() == 1 {
            return None;
        }
        let widths =
            (1..=MOST_WIDTH.min(self.output[1])).filter(|width| self.output[1].is_multiple_of(*width));
        let all = widths.filter_map(|width| self.division_of(width));
        all.min_by(|a, b| self.time_of(a).total_cmp(&self.time_of(b)))
    }

    /// Whether this adapter runs the kernel for these sizes.
    pub(super) fn grad_weight_shares(&self, caps: &Caps) -> bool {
        caps.kind.is_software() && Tiling::subgroup(caps).is_some() && self.grad_weight_division().is_some()
    }

    fn division_of(&self, width: usize) -> Option<Division> {
        let taps = self.taps();
        let most = (MOST_SUMS / taps).min(MOST_PRODUCTS / (taps * width)).min(MOST_BLOCK) / LANES * LANES;
        if most == 0 || self.stretch(width) > MOST_UNROLLED || self.kernel.iter().any(|&k| k > MOST_UNROLLED)
        {
            return None;
        }
        let block = self.results.div_ceil(self.results.div_ceil(most)).next_multiple_of(LANES);
        let row_in_fours = self.size[1].is_multiple_of(4) && (width * self.stride[1]).is_multiple_of(4);
        let units = self.images * (self.output[1] / width);
        let [(wanted, _), _] = occupancy::product(AdapterKind::Software, LANES);
        let splits = (wanted / self.workgroups(block)).clamp(1, units);
        let most_units = (MAX_ITERATIONS as usize / 2) / self.steps();
        let division = Division {
            width,
            block,
            shift: row_in_fours.then_some((-(self.padding[1] as i32)).rem_euclid(4) as usize),
            in_fours: self.output[1].is_multiple_of(4) && width.is_multiple_of(4),
            units: units.div_ceil(splits).min(most_units),
        };
        (most_units > 0 && self.splits(&division) as u64 <= MAX_ITERATIONS).then_some(division)
    }

    /// Elements of an input row that a stretch of neighbouring windows meets.
    fn stretch(&self, width: usize) -> usize {
        (width - 1) * self.stride[1] + (self.kernel[1] - 1) * self.dilation[1] + 1
    }

    /// Rows of the input that a column of stretches meets, one a round.
    fn steps(&self) -> usize {
        self.output[0] + self.kernel[0] - 1
    }

    /// Workgroups of a part of the sum.
    fn workgroups(&self, block: usize) -> usize {
        self.results.div_ceil(block) * self.channels.div_ceil(LANES) * self.groups
    }

    fn splits(&self, division: &Division) -> usize {
        (self.images * (self.output[1] / division.width)).div_ceil(division.units)
    }

    /// Nanoseconds, as `estimate` counts them.
    fn time_of(&self, division: &Division) -> f64 {
        let &Division { width, block, shift, in_fours, .. } = division;
        let loads = estimate::row_loads(self.stretch(width), shift)
            + (block / LANES) as f64 * estimate::row_loads(width, in_fours.then_some(0));
        let rounds = (self.images * (self.output[1] / width) * self.steps()) as f64;
        let round = estimate::round(loads, block * width * self.taps());
        let ends = self.splits(division) as f64 * estimate::invocation(block * self.taps());
        self.workgroups(block) as f64 * (rounds * round + ends)
    }

    /// Whether this sliding window takes less time than a product.
    pub(super) fn grad_weight_suits_sharing(&self) -> bool {
        let n = self.channels * self.taps();
        let product = estimate::gathered_product(self.results, self.images * self.pixels(), n, self.groups);
        self.grad_weight_division().is_some_and(|division| self.time_of(&division) < product)
    }

    /// Records the kernel, and the sum of its parts as in `gemm`.
    pub(super) fn lower_grad_weight_subgroup(
        &self,
        cx: &mut LowerContext<'_>,
        gemm: &Gemm,
        gradient: Operand,
        input: Operand,
        result: Operand,
    ) -> Result<()> {
        let division = self.grad_weight_division().expect("the variant is not offered otherwise");
        let Division { width, block, shift, in_fours, units } = division;
        let splits = self.splits(&division);
        let to = gemm.parts(cx, splits)?;
        let gradients =
            if in_fours { &parts::conv2d_gradient_tile_vec4 } else { &parts::conv2d_gradient_tile };
        let row = if shift.is_some() { &parts::conv2d_row_vec4 } else { &parts::conv2d_row };
        let mut kernel = self
            .kernel(cx, &kernels::conv2d_grad_weight_subgroup)?
            .fill(gradients)
            .fill(row)
            .with("BLOCK", cx.index(block)?)
            .with("TILE_W", cx.index(width)?)
            .with("UNITS", cx.index(units)?)
            .with("LANES", LANES as u32)
            .iterations((units * self.steps() + block) as u64);
        if let Some(shift) = shift {
            kernel = kernel.with("SHIFT", cx.index(shift)?);
        }
        cx.dispatch(kernel, &[gradient, input, to.clone()], self.workgroups(block) * splits);
        cx.flops(2 * self.multiply_adds());
        gemm.lower_sum(cx, splits, to, result)
    }
}
