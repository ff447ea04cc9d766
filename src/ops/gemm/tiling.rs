//! The tilings: how a product is divided among invocations, which adapters prefer which, and the loops of each.

use super::Loader;
use crate::op::{AdapterKind, Caps, CooperativeMatrix, MAX_ITERATIONS, Preference, Variant, occupancy};
use crate::ops::loops::{shared, tree};
use crate::shader::kernels;

// On software adapters it won none of the 175 problems of ResNet-18 and MobileNetV2, and took 1.4 times as long as the best
// at the least.
pub(crate) const TILED: Variant = Variant::for_gpus("tiled");
pub(crate) const REGISTER: Variant = Variant::new("register");
pub(crate) const SUBGROUP: Variant = Variant::new("subgroup");
pub(crate) const VECTOR: Variant = Variant::new("vector");
pub(crate) const LARGE: Variant = Variant::for_gpus("large");
pub(crate) const TALL: Variant = Variant::for_gpus("tall");
pub(crate) const WIDE: Variant = Variant::for_gpus("wide");
pub(crate) const PIPELINED: Variant = Variant::for_gpus("pipelined");
pub(crate) const SMALL: Variant = Variant::for_gpus("small");
pub(crate) const COOPERATIVE: Variant = Variant::for_gpus("cooperative").in_f16();
pub(crate) const COOPERATIVE_WIDE: Variant = Variant::for_gpus("cooperative_wide").in_f16();
pub(crate) const COOPERATIVE_LARGE: Variant = Variant::for_gpus("cooperative_large").in_f16();

/// What discrete GPUs prefer for products that fill them with such tiles.
const WIDE_FIRST: &[Variant] = &[WIDE, TILED];
const TALL_FIRST: &[Variant] = &[TALL, TILED];

/// The preference of plain products. Published measurements have the tile in workgroup memory ahead on most GPUs, the
/// register tile on Apple's, and rows broadcast in the subgroup on Intel's. On a GPU a tile in workgroup memory feeds
/// many FMAs from each load. On a software adapter such a load costs as much as any other, so registers are better.
pub(crate) const PRODUCT: Preference = Preference::all(&[TILED])
    .on(AdapterKind::Integrated, &[SUBGROUP, TILED])
    .on(AdapterKind::Apple, &[REGISTER])
    .on_software(&[SUBGROUP, REGISTER]);

/// The size of a product: C (m x n) = A (m x k) B (k x n), `batches` times.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Size {
    pub m: usize,
    pub n: usize,
    pub k: usize,
    pub batches: usize,
}

impl Size {
    /// The preference for a plain product. With few rows or columns, reading the other matrix is most of the work.
    pub(crate) fn preference(&self) -> Preference {
        if self.m.min(self.n) <= 4 {
            return Preference::gpus(&[VECTOR], &[REGISTER]).for_class("vector");
        }
        self.or_cooperative(self.or_wide(PRODUCT))
    }

    /// `preference`, or cooperative matrices where a plan of mixed precision has them: tiles that are not too large for
    /// the product, nor so large that a GPU has too few of them. Nobody has measured where this turns.
    pub(crate) fn or_cooperative(&self, preference: Preference) -> Preference {
        const LARGE_FIRST: &[Variant] = &[COOPERATIVE_LARGE, COOPERATIVE_WIDE, COOPERATIVE];
        const WIDE_FIRST: &[Variant] = &[COOPERATIVE_WIDE, COOPERATIVE];
        let tiles = |rows: usize, columns: usize| {
            self.m.div_ceil(rows).saturating_mul(self.n.div_ceil(columns)).saturating_mul(self.batches)
        };
        match self {
            Size { m, n, k, .. } if *m.min(n).min(k) < 16 => preference,
            Size { m, n, .. } if *m > 64 && *n > 64 && tiles(128, 128) >= 128 => {
                preference.in_f16(LARGE_FIRST)
            }
            Size { n, .. } if *n > 64 && tiles(64, 128) >= 64 => preference.in_f16(WIDE_FIRST),
            _ => preference.in_f16(&[COOPERATIVE]),
        }
    }

    /// `preference`, or tiles of 64 x 128 on discrete GPUs that they fill: on an NVIDIA H200 these are ahead of larger and
    /// of smaller ones at nearly all sizes.
    pub(crate) fn or_wide(&self, preference: Preference) -> Preference {
        self.or_filling(preference, WIDE_FIRST)
    }

    /// The same for weight gradients, where tiles of 128 x 64 are ahead of them.
    pub(crate) fn or_tall(&self, preference: Preference) -> Preference {
        self.or_filling(preference, if self.m >= 128 { TALL_FIRST } else { WIDE_FIRST })
    }

    fn or_filling(&self, preference: Preference, first: &'static [Variant]) -> Preference {
        if !self.fills_wide() {
            return preference;
        }
        let class = if preference.class().is_empty() { "large" } else { preference.class() };
        preference.on(AdapterKind::Discrete, first).for_class(class)
    }

    pub(crate) fn multiply_adds(&self) -> u64 {
        (self.m * self.n * self.k * self.batches) as u64
    }

    /// Whether each multiprocessor of a large discrete GPU gets a tile of 64 x 128, few of which hang over the edge.
    fn fills_wide(&self) -> bool {
        const TILE: (usize, usize) = (64, 128);
        let tiles = self.m.div_ceil(TILE.0).saturating_mul(self.n.div_ceil(TILE.1));
        let [_, (wanted, long)] = occupancy::product(AdapterKind::Discrete, TILE.0 * TILE.1 / 64);
        let used = self.m as f64 * self.n as f64 / (tiles as f64 * (TILE.0 * TILE.1) as f64);
        let workgroups = tiles.saturating_mul(self.batches).saturating_mul((self.k / long).max(1));
        self.m >= TILE.0 && self.n >= TILE.1 && used >= 0.8 && workgroups >= wanted / 4
    }
}

/// The division of a product among invocations.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Tiling {
    /// 64 x 64 tiles in workgroup memory, 8 x 8 per invocation.
    Tiled,
    /// Tiles of this size in workgroup memory, 8 x 8 per invocation, loaded while those before are multiplied.
    Pipelined(usize, usize),
    /// 32 x 32 tiles in workgroup memory, 4 x 4 per invocation, loaded ahead as well.
    Small,
    /// 8 x 8, 8 x 16 or 16 x 16 per invocation in registers, no workgroup memory.
    Register,
    /// Up to 32 x 4 per invocation in registers, rows of A broadcast in the subgroup.
    Subgroup,
    /// 4 x 4 per invocation over a part of the sum, for few rows or columns.
    Vector,
    /// Tiles of this size in workgroup memory, in f16, which subgroups multiply by cooperative matrices.
    Cooperative(usize, usize),
}

impl Tiling {
    /// The tilings that compute any product on this adapter.
    pub(crate) fn names(caps: &Caps) -> Vec<Variant> {
        let mut names = vec![TILED, REGISTER, VECTOR];
        names.extend(Tiling::ahead(caps));
        names.extend(Tiling::subgroup(caps));
        names
    }

    /// The tilings with loads that run ahead. In f32 each fits any adapter with one buffer.
    pub(crate) fn ahead(caps: &Caps) -> Vec<Variant> {
        let mut names = vec![LARGE, TALL, WIDE, PIPELINED, SMALL];
        if let Some(matrix) = caps.cooperative_matrix {
            let fits = |variant: &Variant| match Tiling::of(*variant) {
                Tiling::Cooperative(rows, columns) => Cooperative::of(rows, columns, matrix, caps).is_some(),
                _ => false,
            };
            names.extend([COOPERATIVE, COOPERATIVE_WIDE, COOPERATIVE_LARGE].into_iter().filter(fits));
        }
        names
    }

    /// The pipelined tiling whose sides a product of m x n fills.
    pub(crate) fn for_gpus(m: usize, n: usize) -> Tiling {
        let side = |size: usize| if size > 64 { 128 } else { 64 };
        Tiling::Pipelined(side(m), side(n))
    }

    /// The subgroup tiling, if the adapter supports it. Eight lanes broadcast rows, and a varying subgroup size may
    /// be smaller.
    pub(crate) fn subgroup(caps: &Caps) -> Option<Variant> {
        (caps.subgroups && caps.subgroup_size >= 8).then_some(SUBGROUP)
    }

    /// The tiling of a variant. Other variants, such as an operator's own, use `Tiled`.
    pub(crate) fn of(variant: Variant) -> Tiling {
        match variant {
            LARGE => Tiling::Pipelined(128, 128),
            TALL => Tiling::Pipelined(128, 64),
            WIDE => Tiling::Pipelined(64, 128),
            PIPELINED => Tiling::Pipelined(64, 64),
            SMALL => Tiling::Small,
            REGISTER => Tiling::Register,
            SUBGROUP => Tiling::Subgroup,
            VECTOR => Tiling::Vector,
            COOPERATIVE => Tiling::Cooperative(64, 64),
            COOPERATIVE_WIDE => Tiling::Cooperative(64, 128),
            COOPERATIVE_LARGE => Tiling::Cooperative(128, 128),
            _ => Tiling::Tiled,
        }
    }

    /// The layout of this tiling over a product of m x n.
    pub(super) fn layout(self, m: usize, n: usize, caps: &Caps) -> Layout {
        let software = caps.kind.is_software();
        match self {
            Tiling::Tiled => {
                let loops = Loops { step: 16, inner: 9, other: 0, stores: 64 };
                Layout { rows: 64, columns: 64, lanes: 64, main: Loader::new(&kernels::gemm_tiled), loops }
            }
            Tiling::Pipelined(rows, columns) => {
                let lanes = rows * columns / 64;
                // Sixteen terms of both operands.
                let bytes = 16 * 4 * (rows + columns);
                let buffers = if 2 * bytes <= caps.max_workgroup_bytes as usize { 2u32 } else { 1 };
                let main = Loader::new(&kernels::gemm_pipelined)
                    .with("TILE_M", rows as u32)
                    .with("TILE_N", columns as u32)
                    .with("BUFFERS", buffers);
                // One round more than there are steps: the first only loads, the last only multiplies.
                let apart = rows + columns <= lanes;
                let stores = if apart { 4 } else { 8 };
                let loops = Loops { step: 16, inner: 1 + 4 + stores, other: 1, stores: 64 };
                Layout { rows, columns, lanes, main, loops }
            }
            Tiling::Small => {
                // One round more than there are steps, as above.
                let loops = Loops { step: 32, inner: 1 + 8 + 4, other: 1, stores: 16 };
                Layout { rows: 32, columns: 32, lanes: 64, main: Loader::new(&kernels::gemm_small), loops }
            }
            Tiling::Register => {
                // 128 sums and the operands need more registers than a GPU's invocation has. To SwiftShader loads are so
                // dear that twice as many rows pay even if a third of them is padding.
                let columns = if software { 16 } else { 8 };
                let tall = caps.kind == AdapterKind::SwiftShader && 3 * m >= 2 * m.next_multiple_of(16);
                let each = if tall { 16 } else { 8 };
                let lanes_n = n.div_ceil(columns).next_power_of_two().min(8);
                let most_m = if software { 8 } else { 64 } / lanes_n;
                let lanes_m = m.div_ceil(each).next_power_of_two().min(most_m);
                let main = Loader::new(&kernels::gemm_register)
                    .with("LANES_M", lanes_m as u32)
                    .with("LANES_N", lanes_n as u32)
                    .with("ROWS", each as u32)
                    .with("COLUMNS", columns as u32);
                let other = if tall { (each * columns / 16) as u64 } else { 0 };
                let loops = Loops { step: 4, inner: 1, other, stores: each * columns };
                let (rows, columns) = (each * lanes_m, columns * lanes_n);
                Layout { rows, columns, lanes: lanes_m * lanes_n, main, loops }
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
                Layout { rows, columns: 4 * lanes, lanes, main, loops }
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
                Layout { rows: 4 * lanes_m, columns: 4 * lanes_n, lanes: 64, main, loops }
            }
            Tiling::Cooperative(rows, columns) => {
                let matrix = caps.cooperative_matrix.expect("the variant is not offered otherwise");
                let tile = Cooperative::of(rows, columns, matrix, caps);
                tile.expect("the variant is not offered otherwise").layout(rows, columns)
            }
        }
    }
}

/// How subgroups share a tile of cooperative matrices.
struct Cooperative {
    side: usize,
    /// Rows and columns that a subgroup makes.
    sub: [usize; 2],
    /// Sums of an invocation.
    sums: usize,
    lanes: usize,
    buffers: u32,
}

impl Cooperative {
    /// Terms of a round.
    const STEP: usize = 32;

    /// `None` if the adapter has too little workgroup memory or too small workgroups.
    fn of(rows: usize, columns: usize, matrix: CooperativeMatrix, caps: &Caps) -> Option<Cooperative> {
        let (side, subgroup) = (matrix.side as usize, matrix.subgroup as usize);
        let sums = if rows * columns > 64 * 64 { 64 } else { 32 };
        let lanes = rows * columns / sums;
        let sub_n = (1..).map(|bits| 1 << bits).find(|n| n * n >= sums * subgroup)?;
        let sub = [sums * subgroup / sub_n, sub_n];
        if lanes > caps.max_invocations as usize || sub[0] < side {
            return None;
        }
        let tiles = 2 * (rows + columns) * (Cooperative::STEP + 8);
        let results = 4 * lanes / subgroup * side * side;
        let bytes = caps.max_workgroup_bytes as usize;
        let buffers = match () {
            () if 2 * tiles + results <= bytes => 2,
            () if tiles + results <= bytes => 1,
            () => return None,
        };
        let tile = Cooperative { side, sub, sums, lanes, buffers };
        let Loops { inner, other, .. } = tile.loops(rows, columns);
        // Room for sums of some length.
        (other + 64 * inner <= MAX_ITERATIONS).then_some(tile)
    }

    fn layout(&self, rows: usize, columns: usize) -> Layout {
        let Cooperative { sub: [sub_m, sub_n], lanes, buffers, .. } = *self;
        let main = Loader::new(&kernels::gemm_cooperative)
            .with("TILE_M", rows as u32)
            .with("TILE_N", columns as u32)
            .with("SUB_M", sub_m as u32)
            .with("SUB_N", sub_n as u32)
            .with("LANES", lanes as u32)
            .with("BUFFERS", buffers);
        let loops = self.loops(rows, columns);
        Layout { rows, columns, lanes, main, loops }
    }

    fn loops(&self, rows: usize, columns: usize) -> Loops {
        let Cooperative { side, sub: [sub_m, sub_n], sums, lanes, .. } = *self;
        let each = |size: usize| (size * Cooperative::STEP / 16).div_ceil(lanes) as u64;
        let loads = each(rows) + each(columns);
        let [blocks_m, blocks_n] = [sub_m / side, sub_n / side].map(|blocks| blocks as u64);
        let products = (Cooperative::STEP / side) as u64 * (1 + 2 * blocks_m + blocks_n * (1 + blocks_m));
        let matrices = blocks_m * blocks_n;
        // Subgroups as small as planned: one pass. Each matrix's sums move up.
        let stores = matrices * (1 + matrices + (side * side / 4) as u64);
        Loops {
            step: Cooperative::STEP,
            inner: 1 + 6 * loads + products,
            other: 2 * (1 + loads + matrices + products + stores),
            stores: sums,
        }
    }
}

/// The part of the result that a workgroup makes, its invocations, the tiling's file with its constants, and its loops.
pub(super) struct Layout {
    pub rows: usize,
    pub columns: usize,
    pub lanes: usize,
    pub main: Loader,
    pub loops: Loops,
}

/// The loops of an invocation: `inner` iterations per `step` terms of the sum, and `other` ones. It stores `stores`
/// elements of the result.
pub(super) struct Loops {
    step: usize,
    inner: u64,
    other: u64,
    pub stores: usize,
}

impl Loops {
    pub(super) fn iterations(&self, k: usize) -> u64 {
        shared(k, self.step) * self.inner + self.other
    }

    /// The longest sum, a multiple of 16, whose loops are short enough.
    pub(super) fn most_k(&self) -> usize {
        let steps = (MAX_ITERATIONS - self.other) / self.inner;
        (steps as usize * self.step) / 16 * 16
    }
}
