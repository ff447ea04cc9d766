//! Sums over stretches of lines, wherever they start and end and however long they are: by the sums over blocks
//! of a line, and those over blocks of blocks. Kernels call `range_sum` of the part of that name.

use crate::error::Result;
use crate::op::{LowerContext, Operand};
use crate::shader::{Kernel, ShaderFile, parts};

/// Elements of a block, and blocks of a block of blocks. Three levels are enough for the longest tensor.
const BLOCK: usize = 1024;

/// Terms that are added one after the other in a stretch of this many elements. A whole block counts as one.
pub(super) fn serial_terms(elements: usize) -> u64 {
    elements.min(4 * BLOCK + elements / (BLOCK * BLOCK)) as u64
}

/// A tensor (lines, length, plane), the plane counted in fours if `width` is 4. Lines run along the middle dimension.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lines {
    pub lines: usize,
    pub length: usize,
    pub plane: usize,
    pub width: usize,
}

impl Lines {
    fn blocks(&self) -> Lines {
        Lines { length: self.length.div_ceil(BLOCK), ..*self }
    }

    /// Records the sums over blocks and over blocks of blocks: the operands of `range_sum`. `elements`
    /// defines `element_at` and binds `operands`.
    pub(super) fn block_sums(
        &self,
        cx: &mut LowerContext<'_>,
        elements: &'static ShaderFile,
        operands: &[Operand],
    ) -> Result<[Operand; 2]> {
        let blocks = self.one_level(cx, elements, operands)?;
        let above = self.blocks();
        if above.length < BLOCK {
            return Ok([blocks.clone(), blocks]);
        }
        let above = above.one_level(cx, &parts::line_plain, std::slice::from_ref(&blocks))?;
        Ok([blocks, above])
    }

    fn one_level(
        &self,
        cx: &mut LowerContext<'_>,
        elements: &'static ShaderFile,
        operands: &[Operand],
    ) -> Result<Operand> {
        let sums = self.lines * self.blocks().length * self.plane;
        cx.index(sums * self.width)?;
        let result = cx.temporary(sums * self.width);
        let (kernel, groups) = cx.made_by(&parts::block_sums, sums, 1)?;
        let kernel = self
            .shaped(cx, kernel.fill(elements))?
            .with("BLOCK", BLOCK as u32)
            .iterations(super::parts::in_stretches(self.length.min(BLOCK) as u64, 0));
        let operands: Vec<Operand> = operands.iter().cloned().chain([result.clone()]).collect();
        cx.dispatch_without_epilogue(kernel, &operands, groups, self.width);
        Ok(result)
    }

    /// Sets the shape of a kernel that may call `range_sum` once.
    pub(super) fn summed(&self, cx: &LowerContext<'_>, kernel: Kernel) -> Result<Kernel> {
        let (blocks, above) = (self.blocks().length, self.blocks().blocks().length);
        // Elements before and behind whole blocks, or all elements if there are none; then blocks before and behind
        // whole blocks of blocks, and those.
        let ends = self.length.min(2 * BLOCK) + self.length.min(BLOCK) + 2 * blocks.min(BLOCK);
        Ok(self.shaped(cx, kernel)?.with("BLOCK", BLOCK as u32).iterations((ends + above) as u64))
    }

    /// Sets the length and plane of a kernel's lines.
    pub(super) fn shaped(&self, cx: &LowerContext<'_>, kernel: Kernel) -> Result<Kernel> {
        Ok(kernel.with("LENGTH", cx.index(self.length)?).with("PLANE", cx.index(self.plane)?))
    }
}
