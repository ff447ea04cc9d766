// The matrix problem of every gemm_*: C[z] (M x N) = A[z] (M x K) B[z] (K x N) for z < BATCHES.
//
// A kernel is one gemm_* body joined with files that say where the operands come from and where
// the result goes:
//   lhs_block(z, m, k): rows m to m + 3 of A, each a vec4 along k to k + 3
//   rhs_block(z, k, n): rows k to k + 3 of B, each a vec4 along n to n + 3
//   store(z, m, n, values): row m of C, columns n to n + 3
//   epilogue(values, row, n): what happens to them before they are stored; row = z M + m
// Blocks may reach past M and N: what they hold there is not used. Past K they hold zeros.
//
// A long K is cut into SPLITS parts of K_PER_SPLIT; with more than one, store is split_store,
// which keeps the parts apart for sum_splits to add in order.
const M: u32 = 64u; // shape
const N: u32 = 64u; // shape
const K: u32 = 64u; // shape
const BATCHES: u32 = 1u; // shape
const SPLITS: u32 = 1u; // shape
const K_PER_SPLIT: u32 = 64u; // shape

// c + a b for 4 x 4 blocks, each row a vec4: c[i] is row i of C along n, a[i] row i of A along k,
// b[k] row k of B along n.
fn multiply_add(c: mat4x4<f32>, a: mat4x4<f32>, b: mat4x4<f32>) -> mat4x4<f32> {
    return mat4x4<f32>(
        multiply_add_row(c[0], a[0], b),
        multiply_add_row(c[1], a[1], b),
        multiply_add_row(c[2], a[2], b),
        multiply_add_row(c[3], a[3], b),
    );
}

fn multiply_add_row(c: vec4<f32>, a: vec4<f32>, b: mat4x4<f32>) -> vec4<f32> {
    return fma(vec4(a.w), b[3], fma(vec4(a.z), b[2], fma(vec4(a.y), b[1], fma(vec4(a.x), b[0], c))));
}
