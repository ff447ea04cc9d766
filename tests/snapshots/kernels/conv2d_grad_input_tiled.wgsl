// parts/common/group.wgsl
// The workgroup's number where the plan folded a long row of workgroups into x, y and z.
fn group_number(group: vec3<u32>, groups: vec3<u32>) -> u32 {
    return group.x + groups.x * (group.y + groups.y * group.z);
}
// parts/gemm/gemm_shape.wgsl
// The matrix problem of every gemm_*: C[z] (M x N) = A[z] (M x K) B[z] (K x N) for z < BATCHES.
//
// A kernel is one gemm_* tiling joined with files that say where the operands come from and where
// the result goes:
//   lhs_start(z, m): where row m of A[z] starts, as the two below take it
//   lhs_row(start, k): that row, a vec4 along k to k + 3; where A is stored transposed, instead
//     lhs_column(start, k): column k of four rows from m, a multiple of 4
//   lhs_block(starts, k): four rows from m, a multiple of 4
//   rhs_start(z, n): what is known of columns n to n + 3 of B[z] before k is, an RhsStart
//   rhs_block(start, k): rows k to k + 3 of B, each a vec4 along those columns
//   sum_end(z): where the sum of C[z] ends, K or before
//   store(z, m, n, values): row m of C, columns n to n + 3, each through epilogue(at, value)
//   add_bias(values, row, n): what happens to them before they are stored; row = z M + m
// Rows and columns may lie past M and N: what they hold there is not used. Past K blocks hold zeros.
// The starts are there because compilers move nothing out of the loop over k by themselves.
//
// A long K is cut into SPLITS parts of K_PER_SPLIT; with more than one, store is split_store,
// which keeps the parts apart for sum_splits to add in order.
const M: u32 = 64u;
const N: u32 = 32u;
const K: u32 = 512u;
const BATCHES: u32 = 4u;
const SPLITS: u32 = 4u;
const K_PER_SPLIT: u32 = 128u;

// Columns n to n + 3 of B; those past the last are the last.
fn columns_from(n: u32) -> vec4<u32> {
    return min(vec4(n, n + 1u, n + 2u, n + 3u), vec4(N - 1u));
}
// parts/gemm/gemm_product.wgsl
//! hole lhs
//!     lhs_start(z: u32, m: u32) -> u32
//!     lhs_block(starts: vec4<u32>, k: u32) -> mat4x4<f32>
//!     by matmul_lhs_rows, matmul_lhs_columns, matmul_lhs_any, conv2d_weight_by_input, conv2d_phase_weight,
//!        conv2d_gradient_rows, conv2d_gradient_rows_vec4
//! hole rhs
//!     rhs_start(z: u32, n: u32) -> RhsStart
//!     rhs_block(start: RhsStart, k: u32) -> mat4x4<f32>
//!     by matmul_rhs_rows, matmul_rhs_columns, matmul_rhs_any, conv2d_input_columns, conv2d_input_rows, conv2d_pixels,
//!        conv2d_pixel_columns, conv2d_gradient_columns, conv2d_phase_columns, linear_grad_rhs, linear_grad_rhs_any
//! hole sum_end(z: u32) -> u32 { return K; }
//!     by conv2d_phase_columns
//
// Products of 4 x 4 blocks, from which gemm_* are made; see gemm_shape.

// The starts of rows m to m + 3.
fn lhs_starts(z: u32, m: u32) -> vec4<u32> {
    return vec4(lhs_start(z, m), lhs_start(z, m + 1u), lhs_start(z, m + 2u), lhs_start(z, m + 3u));
}

// a b for a row of A and four rows of B.
fn multiply_row(a: vec4<f32>, b: mat4x4<f32>) -> vec4<f32> {
    return fma(vec4(a.w), b[3], fma(vec4(a.z), b[2], fma(vec4(a.y), b[1], vec4(a.x) * b[0])));
}

// a b for 4 x 4 blocks, each row a vec4: a[i] is row i of A along k, b[k] row k of B along n.
fn multiply(a: mat4x4<f32>, b: mat4x4<f32>) -> mat4x4<f32> {
    return mat4x4<f32>(multiply_row(a[0], b), multiply_row(a[1], b), multiply_row(a[2], b), multiply_row(a[3], b));
}
// parts/gemm/gemm_outer.wgsl
// Outer products of 4 x 4 blocks, one term of the sum at a time, from which gemm_tiled, gemm_pipelined
// and gemm_small are made.

// An invocation's 8 x 8 of the result: block ij lies i blocks down and j blocks to the right.
struct Blocks {
    c00: mat4x4<f32>,
    c01: mat4x4<f32>,
    c10: mat4x4<f32>,
    c11: mat4x4<f32>,
}

// c[i] += a[i] b, for one k.
fn outer(c: mat4x4<f32>, a: vec4<f32>, b: vec4<f32>) -> mat4x4<f32> {
    return mat4x4<f32>(fma(vec4(a.x), b, c[0]), fma(vec4(a.y), b, c[1]), fma(vec4(a.z), b, c[2]), fma(vec4(a.w), b, c[3]));
}

// One k for all blocks: rows of A from a0 and a1, columns of B from b0 and b1.
fn outer_blocks(c: Blocks, a0: vec4<f32>, a1: vec4<f32>, b0: vec4<f32>, b1: vec4<f32>) -> Blocks {
    return Blocks(outer(c.c00, a0, b0), outer(c.c01, a0, b1), outer(c.c10, a1, b0), outer(c.c11, a1, b1));
}
// parts/gemm/gemm_store.wgsl
//! uses gemm_shape
//! hole store(z: u32, m: u32, n: u32, values: vec4<f32>)
//!     by matmul_store, matmul_store_vec4, conv2d_store, conv2d_store_vec4, conv2d_phase_store, linear_grad_store,
//!        linear_grad_store_vec4, split_store
//! hole add_bias(values: vec4<f32>, row: u32, n: u32) -> vec4<f32> { return values; }
//!     by gemm_bias_rows, gemm_bias_columns
//
// Stores a 4 x 4 block of the result, as far as it lies within M and N; m is a multiple of 4.
fn store_block(part: u32, m: u32, n: u32, c: mat4x4<f32>) {
    if (m >= M || n >= N) {
        return;
    }
    store(part, m, n, add_bias(c[0], part * M + m, n));
    if (M % 4u == 0u || m + 1u < M) {
        store(part, m + 1u, n, add_bias(c[1], part * M + m + 1u, n));
    }
    if (M % 4u == 0u || m + 2u < M) {
        store(part, m + 2u, n, add_bias(c[2], part * M + m + 2u, n));
    }
    if (M % 4u == 0u || m + 3u < M) {
        store(part, m + 3u, n, add_bias(c[3], part * M + m + 3u, n));
    }
}
// parts/gemm/split_store.wgsl
//! uses gemm_shape
//! fills store
//
// Keeps the parts of a split sum apart: (parts x M x N rounded up to 4).
@group(0) @binding(2) var<storage, read_write> split_parts: array<vec4<f32>>;

fn store(part: u32, m: u32, n: u32, values: vec4<f32>) {
    split_parts[(part * M + m) * ((N + 3u) / 4u) + n / 4u] = values;
}
// parts/gemm/gemm_lhs_rows.wgsl
//! hole lhs_row(start: u32, k: u32) -> vec4<f32>
//!     by matmul_lhs_rows, conv2d_gradient_rows_vec4, gemm_lhs_elements
//
// Blocks of A by rows.
fn lhs_block(starts: vec4<u32>, k: u32) -> mat4x4<f32> {
    return mat4x4<f32>(lhs_row(starts.x, k), lhs_row(starts.y, k), lhs_row(starts.z, k), lhs_row(starts.w, k));
}
// parts/gemm/gemm_lhs_elements.wgsl
//! uses gemm_shape, gemm_lhs_rows
//! fills lhs_row
//! hole lhs_element(start: u32, k: u32) -> f32
//!     by matmul_lhs_any, conv2d_weight_by_input, conv2d_phase_weight, conv2d_gradient_rows
//
// Rows of A by elements, which are asked for below K.
fn lhs_at(start: u32, k: u32) -> f32 {
    if (K % 4u != 0u && k >= K) {
        return 0.0;
    }
    return lhs_element(start, k);
}

fn lhs_row(start: u32, k: u32) -> vec4<f32> {
    return vec4(lhs_at(start, k), lhs_at(start, k + 1u), lhs_at(start, k + 2u), lhs_at(start, k + 3u));
}
// parts/conv2d/conv2d_shape.wgsl
// The shape of a convolution (cross-correlation): input (IMAGES, GROUPS IN, H, W), weight
// (GROUPS OUT, IN, KH, KW), output (IMAGES, GROUPS OUT, OH, OW), all row-major. IN and OUT count
// the channels of one group. Stride S, padding P and dilation D are given per axis.
const IMAGES: u32 = 8u;
const GROUPS: u32 = 1u;
const IN: u32 = 64u;
const OUT: u32 = 128u;
const H: u32 = 4u;
const W: u32 = 4u;
const OH: u32 = 2u;
const OW: u32 = 2u;
const KH: u32 = 3u;
const KW: u32 = 3u;
const SH: u32 = 2u;
const SW: u32 = 2u;
const PH: i32 = i32(1);
const PW: i32 = i32(1);
const DH: u32 = 1u;
const DW: u32 = 1u;

// A place in the plane of an image that a window starts from.
struct Pixel {
    image: u32,
    h: i32,
    w: i32,
}

// One weight's place: channel and offset within the window.
struct Tap {
    channel: u32,
    h: u32,
    w: u32,
}

fn tap_of(k: u32) -> Tap {
    return Tap(k / (KH * KW), k / KW % KH, k % KW);
}
// parts/conv2d/conv2d_phase.wgsl
//! uses conv2d_shape
//
// The gradient of a strided convolution's input, phase by phase: inputs of one residue modulo the
// stride meet the same taps, every STEP-th from a first one, and each phase is a product of its own.
//
// Batch z of the product is phase GROUPS + group, phase = (h mod SH) PHASES_W + w mod SW. Column n =
// (image, row, column) counts the phase's own plane, PHASE_H x PHASE_W; k = (output channel, tap row,
// tap column) its own taps, TAPS_H x TAPS_W at most. The sum of a phase with fewer ends before K. h + PH - kh DH has to be a multiple of SH: with
// COMMON the greatest common divisor of SH and DH, STEP = SH / COMMON and INVERSE that of DH / COMMON
// modulo STEP, the first tap is (h + PH) / COMMON INVERSE mod STEP, if COMMON divides h + PH.
//
// No function of phases returns early: for a register tiling, which has dozens of copies of each, SwiftShader's
// compiler would take minutes and gigabytes.
const PHASES_W: u32 = 2u;
const PHASE_H: u32 = 2u;
const PHASE_W: u32 = 2u;
const TAPS_H: u32 = 2u;
const TAPS_W: u32 = 2u;
const COMMON_H: u32 = 1u;
const COMMON_W: u32 = 1u;
const STEP_H: u32 = 2u;
const STEP_W: u32 = 2u;
const INVERSE_H: u32 = 1u;
const INVERSE_W: u32 = 1u;

struct Phase {
    group: u32,
    h: u32,
    w: u32,
    // First taps; KH or KW where there is none.
    first_kh: u32,
    first_kw: u32,
}

// Taps of a phase in rows and columns of the window: TAPS_H and TAPS_W, or one less.
struct PhaseTaps {
    h: u32,
    w: u32,
}

fn phase_taps(phase: Phase) -> PhaseTaps {
    let none = (phase.first_kh >= KH) | (phase.first_kw >= KW);
    let h = (KH - phase.first_kh + STEP_H - 1u) / STEP_H;
    let w = (KW - phase.first_kw + STEP_W - 1u) / STEP_W;
    return PhaseTaps(select(h, 0u, none), select(w, 0u, none));
}

fn phase_of(z: u32) -> Phase {
    let h = z / (GROUPS * PHASES_W);
    let w = z / GROUPS % PHASES_W;
    let padded_h = h + u32(PH);
    let padded_w = w + u32(PW);
    let first_kh = padded_h / COMMON_H % STEP_H * INVERSE_H % STEP_H;
    let first_kw = padded_w / COMMON_W % STEP_W * INVERSE_W % STEP_W;
    return Phase(z % GROUPS, h, w, select(KH, first_kh, padded_h % COMMON_H == 0u), select(KW, first_kw, padded_w % COMMON_W == 0u));
}

// x / taps.w, by constants.
fn by_columns(taps: PhaseTaps, x: u32) -> u32 {
    return select(x / max(TAPS_W - 1u, 1u), x / TAPS_W, taps.w == TAPS_W);
}

// Output channel, and steps from the phase's first tap in rows and columns of the window.
fn phase_tap(taps: PhaseTaps, k: u32) -> Tap {
    const LESS_H = max(TAPS_H - 1u, 1u);
    let channel = by_columns(taps, select(k / LESS_H, k / TAPS_H, taps.h == TAPS_H));
    let tap = k - channel * (taps.h * taps.w);
    let row = by_columns(taps, tap);
    return Tap(channel, row * STEP_H, (tap - row * taps.w) * STEP_W);
}
// parts/conv2d/conv2d_phase_weight.wgsl
//! uses gemm_lhs_elements, conv2d_phase
//! fills lhs, lhs_element
//
// A of the input's gradient in phases: row m = input channel, column k = (output channel, tap of the
// phase). See conv2d_phase.
@group(0) @binding(0) var<storage, read> weight: array<f32>;

const NONE: u32 = 0xffffffffu;

// Those of the phase that the last start was of. Starts of all rows are of one phase.
var<private> lhs_taps: PhaseTaps;

// The place of the phase's first tap in a row's first window, or NONE.
fn lhs_start(z: u32, m: u32) -> u32 {
    let phase = phase_of(z);
    lhs_taps = phase_taps(phase);
    let at = ((phase.group * OUT * IN + min(m, IN - 1u)) * KH + phase.first_kh) * KW + phase.first_kw;
    return select(at, NONE, (phase.first_kh >= KH) | (phase.first_kw >= KW));
}

fn lhs_element(start: u32, k: u32) -> f32 {
    let tap = phase_tap(lhs_taps, k);
    // Past the phase's sum there are zeros. What is not there reads the first element, and is taken away.
    let inside = (start != NONE) & (tap.channel < OUT);
    let at = start + (tap.channel * IN * KH + tap.h) * KW + tap.w;
    return select(0.0, weight[select(0u, at, inside)], inside);
}
// parts/gemm/gemm_rhs_rows.wgsl
//! uses gemm_shape
//! hole rhs_row(start: RhsStart, k: u32) -> vec4<f32>
//!     by matmul_rhs_rows, matmul_rhs_any, conv2d_input_columns, conv2d_input_rows, conv2d_pixels,
//!        conv2d_gradient_columns, conv2d_phase_columns, linear_grad_rhs, linear_grad_rhs_any
//
// Blocks of B by rows, which are asked for below K.
fn rhs_at(start: RhsStart, k: u32) -> vec4<f32> {
    if (K % 4u != 0u && k >= K) {
        return vec4<f32>();
    }
    return rhs_row(start, k);
}

fn rhs_block(start: RhsStart, k: u32) -> mat4x4<f32> {
    return mat4x4<f32>(rhs_at(start, k), rhs_at(start, k + 1u), rhs_at(start, k + 2u), rhs_at(start, k + 3u));
}
// parts/conv2d/conv2d_gather.wgsl
// Elements of an image, or zero for each that is not inside.
@group(0) @binding(1) var<storage, read> source: array<f32>;

fn gathered(at: vec4<u32>, inside: vec4<bool>) -> vec4<f32> {
    // What is outside reads the first element, and is taken away.
    let place = select(vec4<u32>(), at, inside);
    return select(vec4<f32>(), vec4(source[place.x], source[place.y], source[place.z], source[place.w]), inside);
}
// parts/conv2d/conv2d_phase_columns.wgsl
//! uses gemm_shape, gemm_rhs_rows, conv2d_phase, conv2d_gather
//! fills rhs, rhs_row, sum_end
//
// B of the input's gradient in phases: row k = (output channel, tap of the phase), column n = (image,
// row, column) of the phase's plane, gathered from the output's gradient; see conv2d_phase.

// Of each column: the first element of its image and group; SH times the row of the gradient that
// the phase's first tap meets, and likewise the column. Below zero is past the end, as an unsigned
// number; so is everything where the phase has no taps.
struct RhsStart {
    image: vec4<u32>,
    h: vec4<u32>,
    w: vec4<u32>,
    taps: PhaseTaps,
}

fn sum_end(z: u32) -> u32 {
    let taps = phase_taps(phase_of(z));
    return OUT * taps.h * taps.w;
}

fn rhs_start(z: u32, n: u32) -> RhsStart {
    let phase = phase_of(z);
    let i = columns_from(n);
    let h = i / PHASE_W % PHASE_H * SH + (phase.h + u32(PH) - phase.first_kh * DH);
    let w = i % PHASE_W * SW + (phase.w + u32(PW) - phase.first_kw * DW);
    let none = phase.first_kh >= KH || phase.first_kw >= KW;
    let image = (i / (PHASE_H * PHASE_W) * GROUPS + phase.group) * (OUT * OH * OW);
    return RhsStart(image, select(h, vec4(0x7fffffffu), none), w, phase_taps(phase));
}

fn rhs_row(start: RhsStart, k: u32) -> vec4<f32> {
    let tap = phase_tap(start.taps, k);
    let h = start.h - tap.h * DH;
    let w = start.w - tap.w * DW;
    // Past the phase's sum there are zeros.
    let inside = (h / SH < vec4(OH)) & (w / SW < vec4(OW)) & vec4(tap.channel < OUT);
    return gathered(start.image + tap.channel * (OH * OW) + h / SH * OW + w / SW, inside);
}
// kernels/gemm/gemm_tiled.wgsl
//! uses group, gemm_shape, gemm_product, gemm_outer, gemm_store
//! holes lhs, rhs, sum_end of gemm_product; store, add_bias of gemm_store
//
// Matrix product with tiles in workgroup memory; see gemm_shape.
//
// 64 invocations make a tile of 64 x 64; each makes 8 x 8 of it, as four 4 x 4 blocks that lie 32
// apart, so that neighbours read neighbouring vec4s. Steps of 16 along k: every invocation loads
// one 4 x 4 block of each operand. The sum over k runs in order.
var<workgroup> lhs_tile: array<vec4<f32>, 256>; // [k][m / 4], vec4 along m
var<workgroup> rhs_tile: array<vec4<f32>, 256>; // [k][n / 4], vec4 along n

// One k, from its places in the tiles.
fn step(c: Blocks, lhs_at: u32, rhs_at: u32) -> Blocks {
    return outer_blocks(c, lhs_tile[lhs_at], lhs_tile[lhs_at + 8u], rhs_tile[rhs_at], rhs_tile[rhs_at + 8u]);
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    const TILES_N = (N + 63u) / 64u;
    const TILES_M = (M + 63u) / 64u;
    let tile = group_number(group, groups);
    let tile_n = tile % TILES_N * 64u;
    let tile_m = tile / TILES_N % TILES_M * 64u;
    let split = tile / (TILES_N * TILES_M) % SPLITS;
    let z = tile / (TILES_N * TILES_M * SPLITS);
    if (z >= BATCHES) {
        return;
    }
    // Along k the blocks of lhs are 4 side by side, those of rhs along n 16.
    let lhs_k = lane % 4u;
    let lhs_m = lane / 4u;
    let rhs_n = lane % 16u;
    let rhs_k = lane / 16u;
    let rows = lhs_starts(z, tile_m + lhs_m * 4u);
    let columns = rhs_start(z, tile_n + rhs_n * 4u);
    let column = lane % 8u;
    let row = lane / 8u;
    var c = Blocks();
    let end = min(sum_end(z), (split + 1u) * K_PER_SPLIT);
    for (var k = split * K_PER_SPLIT; k < end; k += 16u) {
        var a = mat4x4<f32>();
        if (k + lhs_k * 4u < end) {
            a = transpose(lhs_block(rows, k + lhs_k * 4u));
        }
        var b = mat4x4<f32>();
        if (k + rhs_k * 4u < end) {
            b = rhs_block(columns, k + rhs_k * 4u);
        }
        workgroupBarrier();
        for (var i = 0u; i < 4u; i++) {
            lhs_tile[(lhs_k * 4u + i) * 16u + lhs_m] = a[i];
            rhs_tile[(rhs_k * 4u + i) * 16u + rhs_n] = b[i];
        }
        workgroupBarrier();
        // Four at a time: the loop's own instructions weigh a quarter.
        for (var i = 0u; i < 256u; i += 64u) {
            let lhs_at = i + row;
            let rhs_at = i + column;
            c = step(c, lhs_at, rhs_at);
            c = step(c, lhs_at + 16u, rhs_at + 16u);
            c = step(c, lhs_at + 32u, rhs_at + 32u);
            c = step(c, lhs_at + 48u, rhs_at + 48u);
        }
    }
    let part = z * SPLITS + split;
    let m = tile_m + row * 4u;
    let n = tile_n + column * 4u;
    store_block(part, m, n, c.c00);
    store_block(part, m, n + 32u, c.c01);
    store_block(part, m + 32u, n, c.c10);
    store_block(part, m + 32u, n + 32u, c.c11);
}
fn add_bias(values: vec4<f32>, row: u32, n: u32) -> vec4<f32> {
    return values;
}
