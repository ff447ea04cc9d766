//! The sliding window along a row, for compilers that unroll no loops. See
//! `shaders/kernels/conv2d/conv2d_direct_row.wgsl`; `correlation` has the other sliding windows.

use super::correlation::{Correlation, Operands};
use crate::error::Result;
use crate::op::{LowerContext, MAX_ITERATIONS};
use crate::shader::kernels;

/// Channels, and neighbours in a row, that an invocation makes.
const CHANNELS: usize = 8;
const NEIGHBOURS: usize = 16;

/// Invocations of a workgroup.
const LANES: usize = 8;

impl Correlation {
    /// Whether the kernel can compute this, and has a use for most of what it makes and loads.
    pub(super) fn slides_along_rows(&self) -> bool {
        let width = self.result[1];
        self.stride == [1, 1]
            && self.upsample == [1, 1]
            && self.dilation[1] == 1
            && (3..=7).contains(&self.kernel[1])
            && 3 * width >= 2 * width.next_multiple_of(NEIGHBOURS)
            && self.row_iterations() <= MAX_ITERATIONS
    }

    /// Rows of an invocation.
    fn rows(&self) -> usize {
        self.result[0].min(2)
    }

    /// Loop iterations of an invocation: source channels and rows of the window, and the store.
    fn row_iterations(&self) -> u64 {
        let [rows, channels, neighbours] =
            [self.rows(), self.results.min(CHANNELS), self.result[1].min(NEIGHBOURS)];
        let store = rows * (1 + channels * (1 + neighbours));
        (self.channels as u64).saturating_mul(self.kernel[0] as u64) + store as u64
    }

    /// Records the kernel.
    pub(super) fn lower_row(&self, cx: &mut LowerContext<'_>, operands: &Operands) -> Result<()> {
        let kernel = self
            .kernel(cx, operands.bias.is_some(), &kernels::conv2d_direct_row)?
            .with("LANES", LANES as u32)
            .with("ROWS", self.rows() as u32)
            .iterations(self.row_iterations())
            .epilogue_calls((self.rows() * CHANNELS * NEIGHBOURS) as u64);
        let lines = self.result[0].div_ceil(self.rows());
        let places = self.images * lines * self.result[1].div_ceil(NEIGHBOURS);
        let workgroups = self.results.div_ceil(CHANNELS) * self.groups * places.div_ceil(LANES);
        cx.dispatch_epilogue(kernel, &operands.list(), workgroups, 1);
        cx.flops(self.flops);
        Ok(())
    }
}
