//! The matrix-product kernels behind matmul and every convolution pass.
//!
//! A kernel is a tiling whose holes are filled with loaders for the two operands, a store and a bias; see
//! `shaders/parts/gemm/`. This file puts them together and decides about splitting the sum; `tiling` has the tilings.
//! What the operands mean is the operators' business.

mod tiling;

pub(crate) use tiling::{PRODUCT, REGISTER, SUBGROUP, Size, TILED, Tiling};

use crate::error::Result;
use crate::op::occupancy::{self, LANES};
use crate::op::{AdapterKind, Caps, LowerContext, Operand};
use crate::shader::{Constant, Kernel, ShaderFile, kernels, parts};
use tiling::Layout;

/// A product divided into tiles, and its sum into splits.
struct Grid {
    body: Tiling,
    layout: Layout,
    tiles: usize,
    splits: usize,
    k_per_split: usize,
}

/// The most parts of a split sum that one invocation adds.
const MOST_PARTS: usize = 512;

/// A WGSL file with its constants: a tiling, or what fills one of its holes.
#[derive(Clone, Debug)]
pub(crate) struct Loader {
    pub file: &'static ShaderFile,
    constants: Vec<(&'static str, Constant)>,
    by_column: bool,
}

impl Loader {
    pub(crate) fn new(file: &'static ShaderFile) -> Loader {
        Loader { file, constants: Vec::new(), by_column: false }
    }

    pub(crate) fn with(mut self, name: &'static str, value: impl Into<Constant>) -> Loader {
        self.constants.push((name, value.into()));
        self
    }

    /// Marks a loader that loads columns instead of rows, or whose neighbours in memory are neighbours in a column.
    pub(crate) fn by_column(mut self) -> Loader {
        self.by_column = true;
        self
    }

    /// Stands for a file that uses this one.
    pub(crate) fn used_by(mut self, file: &'static ShaderFile) -> Loader {
        self.file = file;
        self
    }

    /// Sets the constants in a kernel that has the file.
    pub(crate) fn set(&self, kernel: Kernel) -> Kernel {
        self.constants.iter().fold(kernel, |kernel, &(name, value)| kernel.with(name, value))
    }

    /// Fills a hole of the kernel.
    fn fill(&self, kernel: Kernel) -> Kernel {
        self.set(kernel.fill(self.file))
    }
}

/// The files that store the result, and the number of elements per call of `epilogue`.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    pub part: Loader,
    pub width: usize,
}

/// The bias that is added to the product before the epilogue. As a link of the epilogue it would have to find its row
/// or column again from the element's index; `docs/performance.md` has what that costs.
#[derive(Clone, Debug)]
pub(crate) enum Bias {
    None,
    /// One number per row.
    Rows(Operand),
    /// One number per column.
    Columns(Operand),
}

/// A product with everything that its kernels are made of.
#[derive(Clone, Debug)]
pub(crate) struct Gemm {
    pub body: Tiling,
    pub size: Size,
    pub lhs: Loader,
    pub rhs: Loader,
    pub store: Store,
    /// A part that others may use, with its constants, such as a convolution's shape.
    pub common: Option<Loader>,
    pub bias: Bias,
    /// A second operand that `store` binds.
    pub second_result: Option<Operand>,
}

impl Gemm {
    /// Records the dispatches: one, or more if the sum is split.
    pub(crate) fn lower(
        &self,
        cx: &mut LowerContext<'_>,
        lhs: Operand,
        rhs: Operand,
        result: Operand,
    ) -> Result<()> {
        let grid = self.grid(cx.caps());
        if grid.splits > 1 {
            let splits = grid.splits;
            let parts = self.lower_split(cx, grid, [lhs, rhs])?;
            return self.lower_sum(cx, splits, parts, result);
        }
        let workgroups = grid.tiles * self.size.batches;
        let kernel = self.product(cx, grid, true)?;
        let mut operands = vec![lhs, rhs, result];
        operands.extend(self.bias().map(|(_, bias)| bias));
        operands.extend(self.second_result.clone());
        cx.dispatch_epilogue(kernel, &operands, workgroups, self.store.width);
        cx.flops(2 * self.size.multiply_adds());
        Ok(())
    }

    /// Records the dispatches with a result for other kernels, without bias, epilogue and store: (batches x m x n rounded
    /// up to 4).
    pub(crate) fn lower_parts(&self, cx: &mut LowerContext<'_>, operands: [Operand; 2]) -> Result<Operand> {
        let grid = self.grid(cx.caps());
        let splits = grid.splits;
        let parts = self.lower_split(cx, grid, operands)?;
        let (splits, parts) = self.lower_groups(cx, splits, parts, 1)?;
        debug_assert_eq!(splits, 1, "all parts are added");
        Ok(parts)
    }

    /// Records the kernel that keeps the parts of the sum.
    fn lower_split(
        &self,
        cx: &mut LowerContext<'_>,
        grid: Grid,
        [lhs, rhs]: [Operand; 2],
    ) -> Result<Operand> {
        let (splits, workgroups) = (grid.splits, grid.tiles * self.size.batches * grid.splits);
        let kernel = self.product(cx, grid, false)?;
        let parts = self.parts(cx, splits)?;
        cx.dispatch(kernel, &[lhs, rhs, parts.clone()], workgroups);
        cx.flops(2 * self.size.multiply_adds());
        Ok(parts)
    }

    /// The kernel that multiplies, which stores the result if it is the last one.
    fn product(&self, cx: &LowerContext<'_>, grid: Grid, last: bool) -> Result<Kernel> {
        let Grid { body, layout, splits, k_per_split, .. } = grid;
        let Layout { main, loops, .. } = layout;
        let mut kernel = self.rhs.fill(self.lhs.fill(self.kernel(cx, &main, splits, k_per_split, last)?));
        match body {
            Tiling::Subgroup if self.lhs.by_column => kernel = kernel.fill(&parts::gemm_spread_columns),
            Tiling::Subgroup => kernel = kernel.fill(&parts::gemm_spread_rows),
            Tiling::Pipelined(..) | Tiling::Small => kernel = kernel.with("RHS_ALONG_K", self.rhs.by_column),
            Tiling::Cooperative(..) => {
                let side = cx.caps().cooperative_matrix.map_or(0, |matrix| matrix.side);
                let matrices = if side == 8 { &parts::matrices_8 } else { &parts::matrices_16 };
                kernel = kernel.with("RHS_ALONG_K", self.rhs.by_column).fill(matrices);
            }
            _ => {}
        }
        Ok(self
            .set_common(kernel)
            .iterations(loops.iterations(k_per_split.min(self.size.k)))
            .epilogue_calls((loops.stores / self.store.width) as u64))
    }

    /// The grid of this product.
    fn grid(&self, caps: &Caps) -> Grid {
        let grid = self.grid_of(self.body, caps);
        // With very many results there is no room for parts. The register tiling takes the longest sums without any.
        if grid.splits > 1 && self.part_elements(grid.splits) > i32::MAX as usize {
            return self.grid_of(Tiling::Register, caps);
        }
        grid
    }

    /// The grid of a tiling over this product.
    fn grid_of(&self, body: Tiling, caps: &Caps) -> Grid {
        let layout = body.layout(self.size.m, self.size.n, caps);
        let tiles = self.size.m.div_ceil(layout.rows) * self.size.n.div_ceil(layout.columns);
        let splits = split_count(tiles * self.size.batches, layout.lanes, self.size.k, caps.kind);
        let k_per_split = self.size.k.div_ceil(splits).next_multiple_of(16).min(layout.loops.most_k());
        Grid { body, layout, tiles, splits: self.size.k.div_ceil(k_per_split), k_per_split }
    }

    /// Elements of the parts of a split sum: (batches x splits x m x n rounded up to 4).
    fn part_elements(&self, splits: usize) -> usize {
        (self.size.batches * splits).saturating_mul(self.size.m * self.size.n.next_multiple_of(4))
    }

    /// Memory for the parts of a split sum.
    pub(crate) fn parts(&self, cx: &mut LowerContext<'_>, splits: usize) -> Result<Operand> {
        let elements = self.part_elements(splits);
        cx.index(elements)?;
        Ok(cx.temporary(elements))
    }

    /// Workgroups that store so many groups of parts.
    fn sum_workgroups(&self, groups: usize) -> usize {
        (self.size.batches * groups * self.size.m * self.size.n.div_ceil(4)).div_ceil(LANES)
    }

    /// Records sums of groups of parts until there are no more than `most`.
    fn lower_groups(
        &self,
        cx: &mut LowerContext<'_>,
        mut splits: usize,
        mut parts: Operand,
        most: usize,
    ) -> Result<(usize, Operand)> {
        while splits > most {
            let each = if splits > MOST_PARTS { splits.isqrt().min(MOST_PARTS) } else { splits };
            let groups = splits.div_ceil(each);
            let fewer = self.parts(cx, groups)?;
            let sum = Loader::new(&kernels::sum_splits).with("EACH", cx.index(each)?);
            let kernel = self.kernel(cx, &sum, splits, self.size.k.div_ceil(splits), false)?;
            let operands = [parts, fewer.clone()];
            cx.dispatch(kernel.iterations(each as u64), &operands, self.sum_workgroups(groups));
            (splits, parts) = (groups, fewer);
        }
        Ok((splits, parts))
    }

    /// Records the sum of the parts, in order. Very many parts are first summed in groups.
    pub(crate) fn lower_sum(
        &self,
        cx: &mut LowerContext<'_>,
        splits: usize,
        parts: Operand,
        result: Operand,
    ) -> Result<()> {
        let (splits, parts) = self.lower_groups(cx, splits, parts, MOST_PARTS)?;
        let sum = Loader::new(&kernels::sum_splits).with("EACH", cx.index(splits)?);
        let kernel = self
            .set_common(self.kernel(cx, &sum, splits, self.size.k.div_ceil(splits), true)?)
            .iterations(splits as u64)
            .epilogue_calls((4 / self.store.width) as u64);
        let mut operands = vec![parts, result];
        operands.extend(self.bias().map(|(_, bias)| bias));
        operands.extend(self.second_result.clone());
        cx.dispatch_epilogue(kernel, &operands, self.sum_workgroups(1), self.store.width);
        Ok(())
    }

    /// A kernel that stores the result if it is the last one, and parts of it otherwise.
    fn kernel(
        &self,
        cx: &LowerContext<'_>,
        main: &Loader,
        splits: usize,
        k_per_split: usize,
        last: bool,
    ) -> Result<Kernel> {
        let kernel = main
            .set(Kernel::new(main.file))
            .with("M", cx.index(self.size.m)?)
            .with("N", cx.index(self.size.n)?)
            .with("K", cx.index(self.size.k)?)
            .with("BATCHES", cx.index(self.size.batches)?)
            .with("SPLITS", cx.index(splits)?)
            .with("K_PER_SPLIT", cx.index(k_per_split)?);
        if !last {
            return Ok(kernel.fill(&parts::split_store));
        }
        Ok(self.store.part.fill(kernel).fill_all(self.bias().map(|(file, _)| file)))
    }

    /// Sets the constants of the common part where a file of the kernel uses it.
    fn set_common(&self, kernel: Kernel) -> Kernel {
        match &self.common {
            Some(common) if kernel.has(common.file) => common.set(kernel),
            _ => kernel,
        }
    }

    /// The file that adds the bias, and what it binds.
    fn bias(&self) -> Option<(&'static ShaderFile, Operand)> {
        match &self.bias {
            Bias::None => None,
            Bias::Rows(bias) => Some((&parts::gemm_bias_rows, bias.clone())),
            Bias::Columns(bias) => Some((&parts::gemm_bias_columns, bias.clone())),
        }
    }
}

/// The number of parts of the sum over k: enough workgroups for the adapter, but each with a long enough stretch of
/// k. It is more if a part's loop would be too long.
fn split_count(tiles: usize, lanes: usize, k: usize, kind: AdapterKind) -> usize {
    let enough = |(wanted, least_k): (usize, usize)| (wanted / tiles.max(1)).min(k / least_k);
    occupancy::product(kind, lanes).map(enough).into_iter().fold(1, usize::max)
}
