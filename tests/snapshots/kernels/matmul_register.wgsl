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
const N: u32 = 1568u;
const K: u32 = 600u;
const BATCHES: u32 = 1u;
const SPLITS: u32 = 2u;
const K_PER_SPLIT: u32 = 304u;

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
// parts/matmul/matmul_lhs_rows.wgsl
//! uses gemm_shape, gemm_lhs_rows
//! fills lhs, lhs_row
//
// A as it lies in memory, (M x K) with K divisible by 4: one vec4 load a row.
@group(0) @binding(0) var<storage, read> lhs: array<vec4<f32>>;

fn lhs_start(z: u32, m: u32) -> u32 {
    return (z * M + min(m, M - 1u)) * (K / 4u);
}

fn lhs_row(start: u32, k: u32) -> vec4<f32> {
    return lhs[start + k / 4u];
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
// parts/matmul/matmul_rhs_rows.wgsl
//! uses gemm_shape, gemm_rhs_rows
//! fills rhs, rhs_row
//
// B as it lies in memory, (K x N) with N divisible by 4: one vec4 load a k.
@group(0) @binding(1) var<storage, read> rhs: array<vec4<f32>>;

alias RhsStart = u32;

fn rhs_start(z: u32, n: u32) -> RhsStart {
    return z * (K * N / 4u) + min(n / 4u, N / 4u - 1u);
}

fn rhs_row(start: RhsStart, k: u32) -> vec4<f32> {
    return rhs[start + k * (N / 4u)];
}
// kernels/gemm/gemm_register.wgsl
//! uses group, gemm_shape, gemm_product, gemm_store
//! holes lhs, rhs, sum_end of gemm_product; store, add_bias of gemm_store
//
// Matrix product with a register tile and no workgroup memory; see gemm_shape.
//
// An invocation makes ROWS rows, 8 or 16, x COLUMNS columns, 8 or 16. Lanes lie side by side along
// columns, LANES_N of them, and then along rows. The sum over k runs in order, each four terms added up
// before they join it, which halves the rounding.
const LANES_N: u32 = 8u;
const LANES_M: u32 = 8u;
const ROWS: u32 = 8u;
const COLUMNS: u32 = 8u;

// Four rows of sums, or four terms of the right operand: up to sixteen columns.
struct Blocks {
    a: mat4x4<f32>,
    b: mat4x4<f32>,
    c: mat4x4<f32>,
    d: mat4x4<f32>,
}

struct Starts {
    a: RhsStart,
    b: RhsStart,
    c: RhsStart,
    d: RhsStart,
}

fn rhs_blocks(starts: Starts, k: u32) -> Blocks {
    var blocks: Blocks;
    blocks.a = rhs_block(starts.a, k);
    blocks.b = rhs_block(starts.b, k);
    if (COLUMNS > 8u) {
        blocks.c = rhs_block(starts.c, k);
        blocks.d = rhs_block(starts.d, k);
    }
    return blocks;
}

fn add(sums: Blocks, rows: mat4x4<f32>, columns: Blocks) -> Blocks {
    var all = sums;
    all.a += multiply(rows, columns.a);
    all.b += multiply(rows, columns.b);
    if (COLUMNS > 8u) {
        all.c += multiply(rows, columns.c);
        all.d += multiply(rows, columns.d);
    }
    return all;
}

// What sixteen rows store: an array that a loop indexes is a little slower, and compiles in half of the time.
var<private> kept: array<mat4x4<f32>, ROWS * COLUMNS / 16u>;

fn keep(row: u32, sums: Blocks) {
    let at = row * (COLUMNS / 4u);
    kept[at] = sums.a;
    kept[at + 1u] = sums.b;
    if (COLUMNS > 8u) {
        kept[at + 2u] = sums.c;
        kept[at + 3u] = sums.d;
    }
}

fn store_blocks(part: u32, m: u32, n: u32, sums: Blocks) {
    store_block(part, m, n, sums.a);
    store_block(part, m, n + 4u, sums.b);
    if (COLUMNS > 8u) {
        store_block(part, m, n + 8u, sums.c);
        store_block(part, m, n + 12u, sums.d);
    }
}

@compute @workgroup_size(LANES_N * LANES_M)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    const TILES_N = (N + COLUMNS * LANES_N - 1u) / (COLUMNS * LANES_N);
    const TILES_M = (M + ROWS * LANES_M - 1u) / (ROWS * LANES_M);
    let tile = group_number(group, groups);
    let n = (tile % TILES_N * LANES_N + lane % LANES_N) * COLUMNS;
    let m = (tile / TILES_N % TILES_M * LANES_M + lane / LANES_N) * ROWS;
    let split = tile / (TILES_N * TILES_M) % SPLITS;
    let z = tile / (TILES_N * TILES_M * SPLITS);
    if (m >= M || n >= N || z >= BATCHES) {
        return;
    }
    let rows0 = lhs_starts(z, m);
    let rows1 = lhs_starts(z, m + 4u);
    let rows2 = lhs_starts(z, m + 8u);
    let rows3 = lhs_starts(z, m + 12u);
    let starts = Starts(rhs_start(z, n), rhs_start(z, n + 4u), rhs_start(z, n + 8u), rhs_start(z, n + 12u));
    var c0: Blocks;
    var c1: Blocks;
    var c2: Blocks;
    var c3: Blocks;
    let end = min(sum_end(z), (split + 1u) * K_PER_SPLIT);
    for (var k = split * K_PER_SPLIT; k < end; k += 4u) {
        let columns = rhs_blocks(starts, k);
        c0 = add(c0, lhs_block(rows0, k), columns);
        c1 = add(c1, lhs_block(rows1, k), columns);
        if (ROWS > 8u) {
            c2 = add(c2, lhs_block(rows2, k), columns);
            c3 = add(c3, lhs_block(rows3, k), columns);
        }
    }
    let part = z * SPLITS + split;
    if (ROWS == 8u) {
        store_blocks(part, m, n, c0);
        store_blocks(part, m + 4u, n, c1);
        return;
    }
    keep(0u, c0);
    keep(1u, c1);
    keep(2u, c2);
    keep(3u, c3);
    for (var i = 0u; i < ROWS * COLUMNS / 16u; i++) {
        let row = i / (COLUMNS / 4u);
        let column = i % (COLUMNS / 4u);
        store_block(part, m + row * 4u, n + column * 4u, kept[i]);
    }
}
fn sum_end(z: u32) -> u32 {
    return K;
}
fn add_bias(values: vec4<f32>, row: u32, n: u32) -> vec4<f32> {
    return values;
}
