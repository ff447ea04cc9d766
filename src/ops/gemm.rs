//! The matrix-product kernels that matmul and every convolution pass are made of.
//!
//! A kernel is a body (how the product is tiled) joined with loaders for the two operands, a store
//! and a bias; see `shaders/shared/gemm_shape.wgsl`. This file puts them together and
//! decides about splitting the sum. What the operands mean is the operators' business.

use super::loops::{shared, tree};
use crate::error::Result;
use crate::op::occupancy;
use crate::op::{AdapterKind, Caps, LowerContext, MAX_ITERATIONS, Operand, Preference, Variant};
use crate::shader::{Constant, Kernel, ShaderFile};
use crate::shader_file;

static GROUP: ShaderFile = shader_file!("shared/group");
static SHAPE: ShaderFile = shader_file!("shared/gemm_shape");
static PRODUCT_FILE: ShaderFile = shader_file!("shared/gemm_product");
static SPREAD_ROWS: ShaderFile = shader_file!("shared/gemm_spread_rows");
static SPREAD_COLUMNS: ShaderFile = shader_file!("shared/gemm_spread_columns");
static STORE_BLOCK: ShaderFile = shader_file!("shared/gemm_store");
static TILED_FILE: ShaderFile = shader_file!("gemm_tiled");
static REGISTER_FILE: ShaderFile = shader_file!("gemm_register");
static SUBGROUP_FILE: ShaderFile = shader_file!("gemm_subgroup");
static VECTOR_FILE: ShaderFile = shader_file!("gemm_vector");
static SPLIT_STORE: ShaderFile = shader_file!("split_store");
static SUM_SPLITS: ShaderFile = shader_file!("sum_splits");
static BIAS_NONE: ShaderFile = shader_file!("shared/gemm_bias_none");
static BIAS_ROWS: ShaderFile = shader_file!("shared/gemm_bias_rows");
static BIAS_COLUMNS: ShaderFile = shader_file!("shared/gemm_bias_columns");

pub(crate) const TILED: Variant = Variant::new("tiled");
pub(crate) const REGISTER: Variant = Variant::new("register");
pub(crate) const SUBGROUP: Variant = Variant::new("subgroup");
pub(crate) const VECTOR: Variant = Variant::new("vector");

/// The preference of plain products. Others report the tile in workgroup memory ahead on most GPUs, the register
/// tile on Apple's, rows spread through the subgroup on Intel's. A tile in workgroup memory feeds many FMAs from
/// each load on a GPU; on a software adapter such a load costs what any load costs, so registers are the better tile.
pub(crate) const PRODUCT: Preference = Preference::all(&[TILED])
    .on(AdapterKind::Integrated, &[SUBGROUP, TILED])
    .on(AdapterKind::Apple, &[REGISTER])
    .on(AdapterKind::Software, &[SUBGROUP, REGISTER]);

/// The preference for a product of m rows and n columns: few of either are the reading of one matrix.
pub(crate) fn preference(m: usize, n: usize) -> Preference {
    if m.min(n) <= 4 { Preference::gpus(&[VECTOR], &[REGISTER]).for_class("vector") } else { PRODUCT }
}

/// How the product is tiled.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Tiling {
    /// 64 x 64 tiles in workgroup memory, 8 x 8 an invocation.
    Tiled,
    /// 8 x 8 or 8 x 16 an invocation in registers, no workgroup memory.
    Register,
    /// Up to 32 x 4 an invocation in registers, rows of A spread through the subgroup.
    Subgroup,
    /// 4 x 4 an invocation from a part of the sum, for few rows or columns.
    Vector,
}

impl Tiling {
    /// Names of the bodies that compute any product on this adapter.
    pub fn names(caps: &Caps) -> Vec<Variant> {
        let mut names = vec![TILED, REGISTER, VECTOR];
        names.extend(Tiling::subgroup(caps));
        names
    }

    /// The name of the subgroup body where the adapter has what it needs: rows are spread from eight
    /// lanes, and a size that varies may be less.
    pub fn subgroup(caps: &Caps) -> Option<Variant> {
        (caps.subgroups && caps.subgroup_size >= 8).then_some(SUBGROUP)
    }

    /// The body of this name; others, such as an operator's own variants, are tiled.
    pub fn of(variant: Variant) -> Tiling {
        match variant {
            REGISTER => Tiling::Register,
            SUBGROUP => Tiling::Subgroup,
            VECTOR => Tiling::Vector,
            _ => Tiling::Tiled,
        }
    }

    /// How the body lies over a product of m x n.
    fn layout(self, m: usize, n: usize, caps: &Caps) -> Layout {
        let software = caps.kind == AdapterKind::Software;
        match self {
            Tiling::Tiled => {
                let loops = Loops { step: 16, inner: 9, other: 0, stores: 64 };
                Layout { rows: 64, columns: 64, part: Loader::new(&TILED_FILE), loops }
            }
            Tiling::Register => {
                // 128 sums and the operands are more registers than a GPU gives an invocation.
                let columns = if software { 16 } else { 8 };
                let lanes_n = n.div_ceil(columns).next_power_of_two().min(8);
                let most_m = if software { 8 } else { 64 } / lanes_n;
                let lanes_m = m.div_ceil(8).next_power_of_two().min(most_m);
                let part = Loader::new(&REGISTER_FILE)
                    .with("LANES_M", lanes_m as u32)
                    .with("LANES_N", lanes_n as u32)
                    .with("COLUMNS", columns as u32);
                let loops = Loops { step: 4, inner: 1, other: 0, stores: 8 * columns };
                Layout { rows: 8 * lanes_m, columns: columns * lanes_n, part, loops }
            }
            Tiling::Subgroup => {
                // 32 rows are 128 registers an invocation: on a processor they lie in its cache.
                let most = if software { 32 } else { 16 };
                let rows = m.div_ceil(m.div_ceil(most)).next_multiple_of(8);
                let lanes = caps.subgroup_size as usize;
                let part = Loader::new(&SUBGROUP_FILE).with("ROWS", rows as u32).with("LANES", lanes as u32);
                let eights = rows as u64 / 8;
                let loops = Loops {
                    step: 4,
                    inner: 1 + eights,
                    other: eights + eights * (9 + eights),
                    stores: 4 * rows,
                };
                Layout { rows, columns: 4 * lanes, part, loops }
            }
            Tiling::Vector => {
                let lanes_n = n.div_ceil(4).next_power_of_two().min(8);
                let lanes_m = m.div_ceil(4).next_power_of_two().min(8 / lanes_n);
                let lanes_k = 64 / (lanes_m * lanes_n);
                let part = Loader::new(&VECTOR_FILE)
                    .with("LANES_K", lanes_k as u32)
                    .with("LANES_M", lanes_m as u32)
                    .with("LANES_N", lanes_n as u32);
                let loops = Loops { step: 4 * lanes_k, inner: 1, other: tree(lanes_k), stores: 16 };
                Layout { rows: 4 * lanes_m, columns: 4 * lanes_n, part, loops }
            }
        }
    }
}

/// The part of the result that a workgroup makes, the body's file with its constants, and its loops.
struct Layout {
    rows: usize,
    columns: usize,
    part: Loader,
    loops: Loops,
}

/// What an invocation of a body loops: `inner` iterations for each `step` terms of the sum, and `other` ones.
/// It stores `stores` elements of the result.
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

/// A product cut into tiles, and its sum into splits.
struct Grid {
    body: Tiling,
    layout: Layout,
    tiles: usize,
    splits: usize,
    k_per_split: usize,
}

/// Parts of a split sum that one invocation adds up at most.
const MOST_PARTS: usize = 512;

/// A WGSL file that supplies one of the body's holes, with its constants.
#[derive(Clone, Debug)]
pub(crate) struct Loader {
    files: Vec<&'static ShaderFile>,
    constants: Vec<(&'static str, Constant)>,
    by_column: bool,
}

impl Loader {
    pub fn new(file: &'static ShaderFile) -> Loader {
        Loader { files: vec![file], constants: Vec::new(), by_column: false }
    }

    pub fn with(mut self, name: &'static str, value: impl Into<Constant>) -> Loader {
        self.constants.push((name, value.into()));
        self
    }

    /// Says that this loader of A loads columns and not rows.
    pub fn by_column(mut self) -> Loader {
        self.by_column = true;
        self
    }

    /// Adds a file that builds on the others.
    pub fn and(mut self, file: &'static ShaderFile) -> Loader {
        self.files.push(file);
        self
    }

    /// Adds a file before the others.
    fn after(mut self, file: &'static ShaderFile) -> Loader {
        self.files.insert(0, file);
        self
    }

    pub fn files(&self) -> &[&'static ShaderFile] {
        &self.files
    }

    /// Sets this part's constants in a kernel that has its files.
    pub fn set(&self, kernel: Kernel) -> Kernel {
        self.constants.iter().fold(kernel, |kernel, &(name, value)| kernel.with(name, value))
    }
}

/// The part that stores the result, and how many elements it passes through `epilogue` at a time.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    pub part: Loader,
    pub width: usize,
}

/// What is added to the product before it is stored.
#[derive(Clone, Debug)]
pub(crate) enum Bias {
    None,
    /// One number a row.
    Rows(Operand),
    /// One number a column.
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
    /// Files and constants that several parts use, such as a convolution's shape.
    pub common: Option<Loader>,
    pub bias: Bias,
    /// What `store` binds besides the result.
    pub second_result: Option<Operand>,
}

impl Gemm {
    /// Records the dispatches: one, or two where the sum is split.
    pub fn lower(
        &self,
        cx: &mut LowerContext<'_>,
        lhs: Operand,
        rhs: Operand,
        result: Operand,
    ) -> Result<()> {
        let mut grid = self.grid(self.body, cx.caps());
        // Very many results leave no room for parts: the register tile sums the furthest without any.
        if grid.splits > 1 && self.part_elements(grid.splits) > i32::MAX as usize {
            grid = self.grid(Tiling::Register, cx.caps());
        }
        let Grid { body, layout, tiles, splits, k_per_split } = grid;
        let Layout { part: mut body_part, loops, .. } = layout;
        if body == Tiling::Subgroup {
            body_part = body_part.after(if self.lhs.by_column { &SPREAD_COLUMNS } else { &SPREAD_ROWS });
        }

        let shape = self.shape(cx, splits, k_per_split)?;
        let plain = Loader::new(&BIAS_NONE);
        let (bias_loader, bias) = self.bias();
        let whole = splits == 1;
        let split_store = Loader::new(&SPLIT_STORE);
        let (store, first_bias) =
            if whole { (&self.store.part, &bias_loader) } else { (&split_store, &plain) };
        let (product, block) = (Loader::new(&PRODUCT_FILE), Loader::new(&STORE_BLOCK));
        let parts = [
            Some(first_bias),
            Some(store),
            Some(&product),
            Some(&block),
            Some(&self.lhs),
            Some(&self.rhs),
            Some(&body_part),
        ];
        let kernel = join(&shape, self.common.as_ref(), &parts)
            .iterations(loops.iterations(k_per_split.min(self.k)))
            .epilogue_calls((loops.stores / self.store.width) as u64);
        let flops = 2 * (self.m * self.n * self.k * self.batches) as u64;
        if whole {
            let mut operands = vec![lhs, rhs, result];
            operands.extend(bias);
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

    /// How a body would make this product.
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
    pub fn parts(&self, cx: &mut LowerContext<'_>, splits: usize) -> Result<Operand> {
        let elements = self.part_elements(splits);
        cx.index(elements)?;
        Ok(cx.temporary(elements))
    }

    /// Records the sum of the parts, in order; of very many first of each few in a row.
    pub fn lower_sum(
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
            let shape = self.shape(cx, splits, self.k.div_ceil(splits))?;
            let sum = Loader::new(&SUM_SPLITS).with("EACH", cx.index(each)?);
            let (plain, store) = (Loader::new(&BIAS_NONE), Loader::new(&SPLIT_STORE));
            let kernel = join(&shape, None, &[Some(&plain), Some(&store), Some(&sum)]);
            let operands = [parts, fewer.clone()];
            cx.dispatch(kernel.iterations(each as u64), &operands, workgroups(groups));
            (splits, parts) = (groups, fewer);
        }
        let shape = self.shape(cx, splits, self.k.div_ceil(splits))?;
        let (bias_loader, bias) = self.bias();
        let sum = Loader::new(&SUM_SPLITS).with("EACH", cx.index(splits)?);
        let kernel =
            join(&shape, self.common.as_ref(), &[Some(&bias_loader), Some(&self.store.part), Some(&sum)])
                .iterations(splits as u64)
                .epilogue_calls((4 / self.store.width) as u64);
        let mut operands = vec![parts, result];
        operands.extend(bias);
        operands.extend(self.second_result.clone());
        cx.dispatch_epilogue(kernel, &operands, workgroups(1), self.store.width);
        Ok(())
    }

    fn shape(
        &self,
        cx: &LowerContext<'_>,
        splits: usize,
        k_per_split: usize,
    ) -> Result<[(&'static str, u32); 6]> {
        Ok([
            ("M", cx.index(self.m)?),
            ("N", cx.index(self.n)?),
            ("K", cx.index(self.k)?),
            ("BATCHES", cx.index(self.batches)?),
            ("SPLITS", cx.index(splits)?),
            ("K_PER_SPLIT", cx.index(k_per_split)?),
        ])
    }

    fn bias(&self) -> (Loader, Option<Operand>) {
        match &self.bias {
            Bias::None => (Loader::new(&BIAS_NONE), None),
            Bias::Rows(bias) => (Loader::new(&BIAS_ROWS), Some(bias.clone())),
            Bias::Columns(bias) => (Loader::new(&BIAS_COLUMNS), Some(bias.clone())),
        }
    }
}

/// How many parts the sum over k is cut into, so that there are workgroups enough for the adapter
/// and still a good stretch of k for each; more where a part's loop would be too long.
fn split_count(tiles: usize, k: usize, kind: AdapterKind) -> usize {
    let (wanted, least_k) = occupancy::product(kind);
    (wanted / tiles.max(1)).clamp(1, (k / least_k).max(1))
}

fn join(shape: &[(&'static str, u32)], common: Option<&Loader>, parts: &[Option<&Loader>]) -> Kernel {
    let parts: Vec<&Loader> = std::iter::once(common).chain(parts.iter().copied()).flatten().collect();
    let mut files: Vec<&'static ShaderFile> = vec![&GROUP, &SHAPE];
    files.extend(parts.iter().flat_map(|p| p.files.iter().copied()));
    let mut kernel = Kernel::new(&files);
    for &(name, value) in shape {
        kernel = kernel.with(name, value);
    }
    parts.iter().fold(kernel, |kernel, part| part.set(kernel))
}
