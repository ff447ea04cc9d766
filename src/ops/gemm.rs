//! The matrix-product kernels behind matmul and every convolution pass.
//!
//! A kernel is a tiling whose holes are filled with loaders for the two operands, a store and a bias; see
//! `shaders/parts/gemm/`. This file puts them together and decides about splitting the sum. What the operands
//! mean is the operators' business.

use super::loops::{shared, tree};
use crate::error::Result;
use crate::op::occupancy;
use crate::op::{AdapterKind, Caps, LowerContext, MAX_ITERATIONS, Operand, Preference, Variant};
use crate::shader::{Constant, Kernel, ShaderFile, kernels, parts};

pub(crate) const TILED: Variant = Variant::new("tiled");
pub(crate) const REGISTER: Variant = Variant::new("register");
pub(crate) const SUBGROUP: Variant = Variant::new("subgroup");
pub(crate) const VECTOR: Variant = Variant::new("vector");

/// The preference of plain products. Published measurements have the tile in workgroup memory ahead on most GPUs, the
/// register tile on Apple's, and rows broadcast in the subgroup on Intel's. On a GPU a tile in workgroup memory feeds
/// many FMAs from each load. On a software adapter such a load costs as much as any other, so registers are better.
pub(crate) const PRODUCT: Preference = Preference::all(&[TILED])
    .on(AdapterKind::Integrated, &[SUBGROUP, TILED])
    .on(AdapterKind::Apple, &[REGISTER])
    .on(AdapterKind::Software, &[SUBGROUP, REGISTER]);

/// The preference for a product of m rows and n columns. With few of either, reading the other matrix is most of the
/// work.
pub(crate) fn preference(m: usize, n: usize) -> Preference {
    if m.min(n) <= 4 { Preference::gpus(&[VECTOR], &[REGISTER]).for_class("vector") } else { PRODUCT }
}

/// The division of a product among invocations.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Tiling {
    /// 64 x 64 tiles in workgroup memory, 8 x 8 per invocation.
    Tiled,
    /// 8 x 8 or 8 x 16 per invocation in registers, no workgroup memory.
    Register,
    /// Up to 32 x 4 per invocation in registers, rows of A broadcast in the subgroup.
    Subgroup,
    /// 4 x 4 per invocation over a part of the sum, for few rows or columns.
    Vector,
}

impl Tiling {
    /// The tilings that compute any product on this adapter.
    pub(crate) fn names(caps: &Caps) -> Vec<Variant> {
        let mut names = vec![TILED, REGISTER, VECTOR];
        names.extend(Tiling::subgroup(caps));
        names
    }

    /// The subgroup tiling, if the adapter supports it. Eight lanes broadcast rows, and a varying subgroup size may
    /// be smaller.
    pub(crate) fn subgroup(caps: &Caps) -> Option<Variant> {
        (caps.subgroups && caps.subgroup_size >= 8).then_some(SUBGROUP)
    }

    /// The tiling of a variant. Other variants, such as an operator's own, use `Tiled`.
    pub(crate) fn of(variant: Variant) -> Tiling {
        match variant {
            REGISTER => Tiling::Register,
            SUBGROUP => Tiling::Subgroup,
            VECTOR => Tiling::Vector,
            _ => Tiling::Tiled,
        }
    }

    /// The layout of this tiling over a product of m x n.
    fn layout(self, m: usize, n: usize, caps: &Caps) -> Layout {
        let software = caps.kind == AdapterKind::Software;
        match self {
            Tiling::Tiled => {
                let loops = Loops { step: 16, inner: 9, other: 0, stores: 64 };
                Layout { rows: 64, columns: 64, main: Loader::new(&kernels::gemm_tiled), loops }
            }
            Tiling::Register => {
                // 128 sums and the operands need more registers than a GPU's invocation has.
                let columns = if software { 16 } else { 8 };
                let lanes_n = n.div_ceil(columns).next_power_of_two().min(8);
                let most_m = if software { 8 } else { 64 } / lanes_n;
                let lanes_m = m.div_ceil(8).next_power_of_two().min(most_m);
                let main = Loader::new(&kernels::gemm_register)
                    .with("LANES_M", lanes_m as u32)
                    .with("LANES_N", lanes_n as u32)
                    .with("COLUMNS", columns as u32);
                let loops = Loops { step: 4, inner: 1, other: 0, stores: 8 * columns };
                Layout { rows: 8 * lanes_m, columns: columns * lanes_n, main, loops }
            }
            Tiling::Subgroup => {
                // 32 rows need 128 registers per invocation. A processor keeps them in its cache.
                let most = if software { 32 } else { 16 };
                let rows = m.div_ceil(m.div_ceil(most)).next_multiple_of(8);
                let lanes = caps.subgroup_size as usize;
                let main = Loader::new(&kernels::gemm_subgroup)
                    .with("ROWS", rows as u32)
                    .with("LANES", lanes as u32);
                let eights = rows as u64 / 8;
                let loops = Loops {
                    step: 4,
                    inner: 1 + eights,
                    other: eights + eights * (9 + eights),
                    stores: 4 * rows,
                };
                Layout { rows, columns: 4 * lanes, main, loops }
            }
            Tiling::Vector => {
                let lanes_n = n.div_ceil(4).next_power_of_two().min(8);
                let lanes_m = m.div_ceil(4).next_power_of_two().min(8 / lanes_n);
                let lanes_k = 64 / (lanes_m * lanes_n);
                let main = Loader::new(&kernels::gemm_vector)
                    .with("LANES_K", lanes_k as u32)
                    .with("LANES_M", lanes_m as u32)
                    .with("LANES_N", lanes_n as u32);
                let loops = Loops { step: 4 * lanes_k, inner: 1, other: tree(lanes_k), stores: 16 };
                Layout { rows: 4 * lanes_m, columns: 4 * lanes_n, main, loops }
            }
        }
    }
}

/// The part of the result that a workgroup makes, the tiling's file with its constants, and its loops.
struct Layout {
    rows: usize,
    columns: usize,
    main: Loader,
    loops: Loops,
}

/// The loops of an invocation: `inner` iterations per `step` terms of the sum, and `other` ones. It stores `stores`
/// elements of the result.
struct Loops {
    step: usize,
    inner: u64,
    other: u64,
    stores: usize,
}

impl Loops {
    fn iterations(&self, k: usize) -> u64 {
        shared(k, self.step) * self.inner + self.other
    }

    /// The longest sum, a multiple of 16, whose loops are short enough.
    fn most_k(&self) -> usize {
        let steps = (MAX_ITERATIONS - self.other) / self.inner;
        (steps as usize * self.step) / 16 * 16
    }
}

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

    /// Marks a loader of A that loads columns instead of rows.
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

/// A matrix problem: C (m x n) = A (m x k) B (k x n), `batches` times.
#[derive(Clone, Debug)]
pub(crate) struct Gemm {
    pub body: Tiling,
    pub m: usize,
    pub n: usize,
    pub k: usize,
    pub batches: usize,
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
        let mut grid = self.grid(self.body, cx.caps());
        // With very many results there is no room for parts. The register tiling takes the longest sums without any.
        if grid.splits > 1 && self.part_elements(grid.splits) > i32::MAX as usize {
            grid = self.grid(Tiling::Register, cx.caps());
        }
        let Grid { body, layout, tiles, splits, k_per_split } = grid;
        let Layout { main, loops, .. } = layout;
        let whole = splits == 1;
        let mut kernel = self.rhs.fill(self.lhs.fill(self.kernel(cx, &main, splits, k_per_split, whole)?));
        if body == Tiling::Subgroup {
            let columns = self.lhs.by_column;
            kernel =
                kernel.fill(if columns { &parts::gemm_spread_columns } else { &parts::gemm_spread_rows });
        }
        let kernel = self
            .set_common(kernel)
            .iterations(loops.iterations(k_per_split.min(self.k)))
            .epilogue_calls((loops.stores / self.store.width) as u64);
        let flops = 2 * (self.m * self.n * self.k * self.batches) as u64;
        if whole {
            let mut operands = vec![lhs, rhs, result];
            operands.extend(self.bias().map(|(_, bias)| bias));
            operands.extend(self.second_result.clone());
            cx.dispatch_epilogue(kernel, &operands, tiles * self.batches, self.store.width);
            cx.flops(flops);
            return Ok(());
        }
        let parts = self.parts(cx, splits)?;
        cx.dispatch(kernel, &[lhs, rhs, parts.clone()], tiles * self.batches * splits);
        cx.flops(flops);
        self.lower_sum(cx, splits, parts, result)
    }

    /// The grid of a tiling over this product.
    fn grid(&self, body: Tiling, caps: &Caps) -> Grid {
        let layout = body.layout(self.m, self.n, caps);
        let tiles = self.m.div_ceil(layout.rows) * self.n.div_ceil(layout.columns);
        let splits = split_count(tiles * self.batches, self.k, caps.kind);
        let k_per_split = self.k.div_ceil(splits).next_multiple_of(16).min(layout.loops.most_k());
        Grid { body, layout, tiles, splits: self.k.div_ceil(k_per_split), k_per_split }
    }

    /// Elements of the parts of a split sum: (batches x splits x m x n rounded up to 4).
    fn part_elements(&self, splits: usize) -> usize {
        (self.batches * splits).saturating_mul(self.m * self.n.next_multiple_of(4))
    }

    /// Memory for the parts of a split sum.
    pub(crate) fn parts(&self, cx: &mut LowerContext<'_>, splits: usize) -> Result<Operand> {
        let elements = self.part_elements(splits);
        cx.index(elements)?;
        Ok(cx.temporary(elements))
    }

    /// Records the sum of the parts, in order. Very many parts are first summed in groups.
    pub(crate) fn lower_sum(
        &self,
        cx: &mut LowerContext<'_>,
        mut splits: usize,
        mut parts: Operand,
        result: Operand,
    ) -> Result<()> {
        let workgroups = |groups: usize| (self.batches * groups * self.m * self.n.div_ceil(4)).div_ceil(64);
        while splits > MOST_PARTS {
            let each = splits.isqrt().min(MOST_PARTS);
            let groups = splits.div_ceil(each);
            let fewer = self.parts(cx, groups)?;
            let sum = Loader::new(&kernels::sum_splits).with("EACH", cx.index(each)?);
            let kernel = self.kernel(cx, &sum, splits, self.k.div_ceil(splits), false)?;
            let operands = [parts, fewer.clone()];
            cx.dispatch(kernel.iterations(each as u64), &operands, workgroups(groups));
            (splits, parts) = (groups, fewer);
        }
        let sum = Loader::new(&kernels::sum_splits).with("EACH", cx.index(splits)?);
        let kernel = self
            .set_common(self.kernel(cx, &sum, splits, self.k.div_ceil(splits), true)?)
            .iterations(splits as u64)
            .epilogue_calls((4 / self.store.width) as u64);
        let mut operands = vec![parts, result];
        operands.extend(self.bias().map(|(_, bias)| bias));
        operands.extend(self.second_result.clone());
        cx.dispatch_epilogue(kernel, &operands, workgroups(1), self.store.width);
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
            .with("M", cx.index(self.m)?)
            .with("N", cx.index(self.n)?)
            .with("K", cx.index(self.k)?)
            .with("BATCHES", cx.index(self.batches)?)
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
fn split_count(tiles: usize, k: usize, kind: AdapterKind) -> usize {
    let (wanted, least_k) = occupancy::product(kind);
    (wanted / tiles.max(1)).clamp(1, (k / least_k).max(1))
}
