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
const N: u32 = 600u;
const K: u32 = 1568u;
const BATCHES: u32 = 1u;
const SPLITS: u32 = 1u;
const K_PER_SPLIT: u32 = 1568u;

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
// parts/matmul/matmul_store_vec4.wgsl
//! uses gemm_shape
//! fills store
//! hole epilogue(at: u32, value: vec4<f32>) -> vec4<f32>
//!     by the plan
//
// C as a plain (parts x M x N) tensor with N divisible by 4.
@group(0) @binding(2) var<storage, read_write> result: array<vec4<f32>>;

fn store(part: u32, m: u32, n: u32, values: vec4<f32>) {
    let at = ((part * M + m) * N + n) / 4u;
    result[at] = epilogue(at, values);
}
// parts/gemm/gemm_bias_columns.wgsl
//! uses gemm_shape
//! fills add_bias
//
// Adds a bias along columns: one number for each n.
@group(0) @binding(3) var<storage, read> bias: array<f32>;

fn add_bias(values: vec4<f32>, row: u32, n: u32) -> vec4<f32> {
    return values + vec4<f32>(bias[n], bias[min(n + 1u, N - 1u)], bias[min(n + 2u, N - 1u)], bias[min(n + 3u, N - 1u)]);
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
// parts/matmul/matmul_rhs_columns.wgsl
//! uses gemm_shape
//! fills rhs
//
// B stored transposed, (N x K) with K divisible by 4: one vec4 load a column.
@group(0) @binding(1) var<storage, read> rhs: array<vec4<f32>>;

// Where each of the four columns starts.
alias RhsStart = vec4<u32>;

fn rhs_start(z: u32, n: u32) -> RhsStart {
    return (z * N + columns_from(n)) * (K / 4u);
}

fn rhs_block(start: RhsStart, k: u32) -> mat4x4<f32> {
    let at = start + k / 4u;
    return transpose(mat4x4<f32>(rhs[at.x], rhs[at.y], rhs[at.z], rhs[at.w]));
}
// parts/gemm/gemm_spread_rows.wgsl
//! uses gemm_lhs_rows
//! fills spread
//
// For gemm_subgroup: eight rows of A, a row in each of eight lanes. A vec4 along k is a lane's load.
alias Rows = array<vec4<f32>, 8>;

fn share_start(z: u32, m: u32, lane: u32) -> u32 {
    return lhs_start(z, m + lane);
}

fn load_share(start: u32, k: u32, lane: u32) -> vec4<f32> {
    return lhs_row(start, k);
}

// c + a b for eight rows; b is rows k to k + 3 of B.
fn spread(c: Rows, a: vec4<f32>, b: mat4x4<f32>) -> Rows {
    return Rows(
        c[0] + multiply_row(subgroupBroadcast(a, 0u), b),
        c[1] + multiply_row(subgroupBroadcast(a, 1u), b),
        c[2] + multiply_row(subgroupBroadcast(a, 2u), b),
        c[3] + multiply_row(subgroupBroadcast(a, 3u), b),
        c[4] + multiply_row(subgroupBroadcast(a, 4u), b),
        c[5] + multiply_row(subgroupBroadcast(a, 5u), b),
        c[6] + multiply_row(subgroupBroadcast(a, 6u), b),
        c[7] + multiply_row(subgroupBroadcast(a, 7u), b),
    );
}
// parts/common/element_4.wgsl
//! fills Element
//
// An element is four numbers side by side.
alias Element = vec4<f32>;
alias Flag = vec4<bool>;
alias Bits = vec4<u32>;
alias Ints = vec4<i32>;

fn element_sum(x: Element) -> f32 {
    return (x.x + x.y) + (x.z + x.w);
}

fn bits_sum(x: Bits) -> u32 {
    return x.x + x.y + x.z + x.w;
}
// parts/common/element.wgsl
//! hole Element
//!     element_sum(x: Element) -> f32
//!     bits_sum(x: Bits) -> u32
//!     by element_1, element_4
//
// Elements that pass through an epilogue, one or four at a time: the type `Element`, and `Flag`, `Bits` and `Ints`
// of as many components. The plan knows which.
// parts/common/element_bits.wgsl
//! uses element
//
// Where an element may be NaN or infinite it is told by its bits: compilers may take it that no number is, so max,
// min, clamp and selections by comparisons alone may lose one.
fn is_nan_element(x: Element) -> Flag {
    return (bitcast<Bits>(x) & Bits(0x7fffffffu)) > Bits(0x7f800000u);
}

// Infinite, or NaN.
fn is_not_finite(x: Element) -> Flag {
    return (bitcast<Bits>(x) & Bits(0x7f800000u)) == Bits(0x7f800000u);
}

fn is_minus_infinity(x: Element) -> Flag {
    return bitcast<Bits>(x) == Bits(0xff800000u);
}

// Zero of either sign.
fn is_zero(x: Element) -> Flag {
    return (bitcast<Bits>(x) & Bits(0x7fffffffu)) == Bits(0u);
}

// Neither zero, of either sign, nor NaN. Denormal numbers are above or below it, whatever else they count as.
fn is_above_zero(x: Element) -> Flag {
    return (bitcast<Bits>(x) - Bits(1u)) < Bits(0x7f800000u);
}

fn is_below_zero(x: Element) -> Flag {
    return (bitcast<Bits>(x) - Bits(0x80000001u)) < Bits(0x7f800000u);
}

// Zero or below it, and not NaN.
fn is_not_above_zero(x: Element) -> Flag {
    return (bitcast<Ints>(x) <= Ints(0)) & (bitcast<Bits>(x) <= Bits(0xff800000u));
}

// Denormal and above zero: its bits are its size in units of 2^-149. Drivers may count it as zero.
fn is_denormal(x: Element) -> Flag {
    return (bitcast<Bits>(x) - Bits(1u)) < Bits(0x007fffffu);
}

// y, or x where that is NaN.
fn keep_nan(x: Element, y: Element) -> Element {
    return select(y, x, is_nan_element(x));
}

// NaN, which no constant expression can be.
fn no_number() -> Element {
    var bits = Bits(0x7fc00000u);
    return bitcast<Element>(bits);
}

// For activations that are x times something between 0 and 1: what PyTorch's products with an infinity are. Minus
// infinity makes NaN, and neither infinity has a slope.
fn as_a_product(x: Element, y: Element) -> Element {
    return select(y, no_number(), is_nan_element(x) | is_minus_infinity(x));
}

fn slope_as_of_a_product(x: Element, slope: Element) -> Element {
    return select(slope, no_number(), is_not_finite(x));
}

// x times a number that the compiler knows: by 0 it need not multiply, which is NaN of what is not finite.
fn times(number: f32, x: Element) -> Element {
    if (number == 0.0) {
        return select(Element(0.0), no_number(), is_not_finite(x));
    }
    return number * x;
}
// parts/elementwise/activation_relu.wgsl
//! uses element_bits
//
// ReLU and its leaky relatives. Slopes at 0 are PyTorch's: 0 for ReLU, that of the negative side for the
// others; at NaN 1 for ReLU.
fn relu(x: Element) -> Element {
    return select(x, Element(0.0), is_below_zero(x));
}

fn relu_grad(y: Element, dy: Element) -> Element {
    return select(dy, Element(0.0), is_not_above_zero(y));
}

fn leaky_relu(x: Element, slope: f32) -> Element {
    return select(times(slope, x), x, is_above_zero(x));
}

// Of the input, or of the output where the slope is not negative: then their signs agree.
fn leaky_relu_grad(saved: Element, dy: Element, slope: f32) -> Element {
    return select(times(slope, dy), dy, is_above_zero(saved));
}

fn prelu(x: Element, weight: Element) -> Element {
    return select(weight * x, x, is_above_zero(x));
}

// By the weight: the sum of this.
fn prelu_grad_weight(x: Element, dy: Element) -> Element {
    return select(x * dy, Element(0.0), is_above_zero(x));
}

fn prelu_grad(x: Element, weight: Element, dy: Element) -> Element {
    return select(weight * dy, dy, is_above_zero(x));
}
// kernels/gemm/gemm_subgroup.wgsl
//! uses group, gemm_shape, gemm_product, gemm_store
//! holes lhs, rhs, sum_end of gemm_product; store, add_bias of gemm_store
//! hole spread
//!     share_start(z: u32, m: u32, lane: u32) -> u32
//!     load_share(start: u32, k: u32, lane: u32) -> vec4<f32>
//!     spread(c: Rows, a: vec4<f32>, b: mat4x4<f32>) -> Rows
//!     by gemm_spread_rows, gemm_spread_columns
//
// Matrix product with a register tile whose rows of A are spread through the subgroup; see
// gemm_shape.
//
// An invocation makes ROWS rows x 4 columns, lanes lie side by side along columns. All lanes want
// the same rows of A, so eight of them load a share each of eight rows, and the subgroup hands it
// round (gemm_spread_*): a load of A serves eight rows. Any subgroup of eight lanes or more
// does; further lanes repeat the loads.
// The sum over k runs in order, each four terms added up before they join it, which halves the
// rounding and shortens the chain of instructions that wait for each other.
const LANES: u32 = 8u;
const ROWS: u32 = 32u;

const EIGHTS: u32 = ROWS / 8u;

@compute @workgroup_size(LANES)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
    @builtin(subgroup_invocation_id) subgroup_lane: u32,
) {
    const TILES_N = (N + 4u * LANES - 1u) / (4u * LANES);
    const TILES_M = (M + ROWS - 1u) / ROWS;
    let tile = group_number(group, groups);
    let n = (tile % TILES_N * LANES + lane) * 4u;
    let m = tile / TILES_N % TILES_M * ROWS;
    let split = tile / (TILES_N * TILES_M) % SPLITS;
    let z = tile / (TILES_N * TILES_M * SPLITS);
    if (z >= BATCHES) {
        return;
    }
    let columns = rhs_start(z, n);
    let share = subgroup_lane % 8u;
    var starts: array<u32, EIGHTS>;
    for (var i = 0u; i < EIGHTS; i++) {
        starts[i] = share_start(z, m + 8u * i, share);
    }
    let end = min(sum_end(z), (split + 1u) * K_PER_SPLIT);
    var sums: array<Rows, EIGHTS>;
    for (var k = split * K_PER_SPLIT; k < end; k += 4u) {
        let b = rhs_block(columns, k);
        for (var i = 0u; i < EIGHTS; i++) {
            sums[i] = spread(sums[i], load_share(starts[i], k, share), b);
        }
    }
    if (n >= N) {
        return;
    }
    let part = z * SPLITS + split;
    // A loop, because compilers take long over stores, and one whose end is no constant, or they write it
    // out. The sums move up, so that indices stay constant.
    let last = min(m + ROWS, M);
    for (var row = m; row < last; row += 8u) {
        for (var i = 0u; i < 8u; i++) {
            if (M % 8u == 0u || row + i < M) {
                store(part, row + i, n, add_bias(sums[0][i], part * M + row + i, n));
            }
        }
        for (var next = 1u; next < EIGHTS; next++) {
            sums[next - 1u] = sums[next];
        }
    }
}
fn epilogue(at: u32, first: vec4<f32>) -> vec4<f32> {
    var value = first;
    value = relu(value);
    return value;
}
fn sum_end(z: u32) -> u32 {
    return K;
}
