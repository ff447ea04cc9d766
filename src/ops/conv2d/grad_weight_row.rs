//! The weight's gradient with a sliding window along rows, for compilers that unroll no loops. See
//! `shaders/kernels/conv2d/conv2d_grad_weight_row.wgsl`; `row` has the other passes.

use super::geometry::Geometry;
use crate::error::Result;
use crate::op::{LowerContext, MAX_ITERATIONS, Operand};
use crate::ops::gemm::Gemm;
use crate::shader::kernels;

/// Output channels of an invocation, and neighbours in a row that it takes at a time.
const CHANNELS: usize = 8;
const NEIGHBOURS: usize = 4;

/// Invocations of a workgroup, and of the whole dispatch if there is enough to add.
const LANES: usize = 8;
const WANTED: usize = 256;

/// How the kernel divides the work.
#[derive(Clone, Copy, Debug)]
struct Division {
    /// Lines of an invocation, each an input channel's row under a row of the window.
    lines: usize,
    /// Invocations that make one part of the sum for eight output channels.
    sets: usize,
    /// Rows of the output that an invocation adds.
    rows: usize,
    splits: usize,
    iterations: u64,
}

impl Geometry {
    /// Whether the kernel can compute this, and has a use for most of what it makes and loads.
    pub(super) fn grad_weight_slides_along_rows(&self) -> bool {
        let fills = |size: usize, of: usize| 3 * size >= 2 * size.next_multiple_of(of);
        self.stride[1] == 1
            && self.dilation[1] == 1
            && (3..=7).contains(&self.kernel[1])
            && fills(self.output[1], NEIGHBOURS)
            && fills(self.results, CHANNELS)
            && self.row_division().iterations <= MAX_ITERATIONS
    }

    fn row_division(&self) -> Division {
        let all = self.channels * self.kernel[0];
        let lines = if all.next_multiple_of(3) < all.next_multiple_of(5) { 3 } else { 5 };
        let sets = all.div_ceil(lines);
        let steps = 1 + self.output[1].div_ceil(NEIGHBOURS);
        let store = self.results.min(CHANNELS) * (1 + lines * (1 + self.kernel[1]));
        let most = (MAX_ITERATIONS as usize).saturating_sub(store) / steps;
        let wanted = (WANTED / (sets * self.results.div_ceil(CHANNELS) * self.groups)).max(1);
        let rows = (self.images * self.output[0]).div_ceil(wanted).min(most).max(1);
        let splits = (self.images * self.output[0]).div_ceil(rows);
        Division { lines, sets, rows, splits, iterations: (rows * steps + store) as u64 }
    }

    /// Records the kernel, and the sum of its invocations' parts as in `gemm`.
    pub(super) fn lower_grad_weight_row(
        &self,
        cx: &mut LowerContext<'_>,
        gemm: &Gemm,
        gradient: Operand,
        input: Operand,
        result: Operand,
    ) -> Result<()> {
        let Division { lines, sets, rows, splits, iterations } = self.row_division();
        let parts = gemm.parts(cx, splits)?;
        let kernel = self
            .kernel(cx, &kernels::conv2d_grad_weight_row)?
            .with("LANES", LANES as u32)
            .with("LINES", lines as u32)
            .with("ROWS", cx.index(rows)?)
            .iterations(iterations);
        let workgroups = self.results.div_ceil(CHANNELS) * self.groups * (sets * splits).div_ceil(LANES);
        cx.dispatch(kernel, &[gradient, input, parts.clone()], workgroups);
        cx.flops(2 * self.multiply_adds());
        gemm.lower_sum(cx, splits, parts, result)
    }
}
