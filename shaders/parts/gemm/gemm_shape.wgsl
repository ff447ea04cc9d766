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
const M: u32 = 64u; // shape
const N: u32 = 64u; // shape
const K: u32 = 64u; // shape
const BATCHES: u32 = 1u; // shape
const SPLITS: u32 = 1u; // shape
const K_PER_SPLIT: u32 = 64u; // shape

// Columns n to n + 3 of B; those past the last are the last.
fn columns_from(n: u32) -> vec4<u32> {
    return min(vec4(n, n + 1u, n + 2u, n + 3u), vec4(N - 1u));
}
