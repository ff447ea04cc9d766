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
const SPLITS: u32 = 4u;
const K_PER_SPLIT: u32 = 150u;

// Columns n to n + 3 of B; those past the last are the last.
fn columns_from(n: u32) -> vec4<u32> {
    return min(vec4(n, n + 1u, n + 2u, n + 3u), vec4(N - 1u));
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
// kernels/gemm/sum_splits.wgsl
//! uses group, gemm_shape, gemm_store
//! holes store, add_bias of gemm_store
//
// Adds the parts of a split sum in order, and stores the result as the unsplit kernel would.
//
// parts is (BATCHES x SPLITS x M x N rounded up to 4). An invocation makes four columns of a row. Of very many
// parts each EACH in a row become one, kept apart by split_store, and a further run adds those.
@group(0) @binding(0) var<storage, read> parts: array<vec4<f32>>;

const EACH: u32 = 4u;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    const COLUMNS = (N + 3u) / 4u;
    const GROUPS = (SPLITS + EACH - 1u) / EACH;
    let i = group_number(group, groups) * 64u + lane;
    if (i >= BATCHES * GROUPS * M * COLUMNS) {
        return;
    }
    let z = i / (M * COLUMNS);
    let skipped = z % GROUPS * EACH;
    let first = (z / GROUPS * SPLITS + skipped) * (M * COLUMNS) + i % (M * COLUMNS);
    let count = min(EACH, SPLITS - skipped);
    var sum = parts[first];
    // Few results leave few invocations, which wait for memory: eight loads wait together.
    var s = 1u;
    for (; s + 8u <= count; s += 8u) {
        let at = first + s * (M * COLUMNS);
        let p0 = parts[at];
        let p1 = parts[at + M * COLUMNS];
        let p2 = parts[at + 2u * (M * COLUMNS)];
        let p3 = parts[at + 3u * (M * COLUMNS)];
        let p4 = parts[at + 4u * (M * COLUMNS)];
        let p5 = parts[at + 5u * (M * COLUMNS)];
        let p6 = parts[at + 6u * (M * COLUMNS)];
        let p7 = parts[at + 7u * (M * COLUMNS)];
        sum = sum + p0 + p1 + p2 + p3 + p4 + p5 + p6 + p7;
    }
    for (; s < count; s++) {
        sum += parts[first + s * (M * COLUMNS)];
    }
    let m = i / COLUMNS % M;
    let n = i % COLUMNS * 4u;
    store(z, m, n, add_bias(sum, z * M + m, n));
}
@group(0) @binding(32) var<storage, read> operand_0: array<vec4<f32>>;
fn epilogue(at: u32, first: vec4<f32>) -> vec4<f32> {
    var value = first;
    value = relu_grad(operand_0[at], value);
    return value;
}
fn add_bias(values: vec4<f32>, row: u32, n: u32) -> vec4<f32> {
    return values;
}
