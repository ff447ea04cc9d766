//! uses group, gemm_shape, gemm_product, gemm_store
//! holes lhs, rhs, sum_end of gemm_product; store, add_bias of gemm_store
//
// Matrix product with a register tile and no workgroup memory; see gemm_shape.
//
// An invocation makes 8 rows x COLUMNS columns. Lanes lie side by side along columns, LANES_N of
// them, and then along rows. The sum over k runs in order, each four terms added up before they join
// it, which halves the rounding.
const LANES_N: u32 = 8u; // tunable
const LANES_M: u32 = 8u; // tunable
const COLUMNS: u32 = 16u; // tunable

@compute @workgroup_size(LANES_N * LANES_M)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    const TILES_N = (N + COLUMNS * LANES_N - 1u) / (COLUMNS * LANES_N);
    const TILES_M = (M + 8u * LANES_M - 1u) / (8u * LANES_M);
    let tile = group_number(group, groups);
    let n = (tile % TILES_N * LANES_N + lane % LANES_N) * COLUMNS;
    let m = (tile / TILES_N % TILES_M * LANES_M + lane / LANES_N) * 8u;
    let split = tile / (TILES_N * TILES_M) % SPLITS;
    let z = tile / (TILES_N * TILES_M * SPLITS);
    if (m >= M || n >= N || z >= BATCHES) {
        return;
    }
    let rows0 = lhs_starts(z, m);
    let rows1 = lhs_starts(z, m + 4u);
    let columns0 = rhs_start(z, n);
    let columns1 = rhs_start(z, n + 4u);
    let columns2 = rhs_start(z, n + 8u);
    let columns3 = rhs_start(z, n + 12u);
    var c00 = mat4x4<f32>();
    var c01 = mat4x4<f32>();
    var c02 = mat4x4<f32>();
    var c03 = mat4x4<f32>();
    var c10 = mat4x4<f32>();
    var c11 = mat4x4<f32>();
    var c12 = mat4x4<f32>();
    var c13 = mat4x4<f32>();
    let end = min(sum_end(z), (split + 1u) * K_PER_SPLIT);
    for (var k = split * K_PER_SPLIT; k < end; k += 4u) {
        let a0 = lhs_block(rows0, k);
        let a1 = lhs_block(rows1, k);
        let b0 = rhs_block(columns0, k);
        c00 += multiply(a0, b0);
        c10 += multiply(a1, b0);
        let b1 = rhs_block(columns1, k);
        c01 += multiply(a0, b1);
        c11 += multiply(a1, b1);
        if (COLUMNS > 8u) {
            let b2 = rhs_block(columns2, k);
            c02 += multiply(a0, b2);
            c12 += multiply(a1, b2);
            let b3 = rhs_block(columns3, k);
            c03 += multiply(a0, b3);
            c13 += multiply(a1, b3);
        }
    }
    let part = z * SPLITS + split;
    store_block(part, m, n, c00);
    store_block(part, m, n + 4u, c01);
    store_block(part, m + 4u, n, c10);
    store_block(part, m + 4u, n + 4u, c11);
    if (COLUMNS > 8u) {
        store_block(part, m, n + 8u, c02);
        store_block(part, m, n + 12u, c03);
        store_block(part, m + 4u, n + 8u, c12);
        store_block(part, m + 4u, n + 12u, c13);
    }
}
