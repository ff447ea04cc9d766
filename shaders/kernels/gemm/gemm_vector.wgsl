//! uses group, gemm_shape, gemm_product, gemm_store
//! holes lhs, rhs, sum_end of gemm_product; store, add_bias of gemm_store
//
// Matrix product with few rows or few columns, and above all a matrix by a vector; see
// gemm_shape.
//
// Such a product is the reading of one matrix, once, from end to end. An invocation makes 4 x 4 of
// the result from every LANES_K-th 4 terms of the sum; eight lanes read 128 bytes in a row
// whichever way the matrix lies. Then the lanes' sums are added in a tree, in workgroup memory.
// Sizes are constants, so that of 4 rows with M = 1 the compiler keeps one.
const LANES_K: u32 = 8u; // tunable
const LANES_M: u32 = 1u; // tunable
const LANES_N: u32 = 8u; // tunable

const LANES: u32 = LANES_K * LANES_M * LANES_N;
var<workgroup> sums: array<mat4x4<f32>, LANES>;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    const TILES_N = (N + 4u * LANES_N - 1u) / (4u * LANES_N);
    const TILES_M = (M + 4u * LANES_M - 1u) / (4u * LANES_M);
    let tile = group_number(group, groups);
    let split = tile / (TILES_N * TILES_M) % SPLITS;
    let z = tile / (TILES_N * TILES_M * SPLITS);
    if (z >= BATCHES) {
        return;
    }
    // Along k, then along n, then along m, as the operands' longer runs lie.
    let lane_k = lane % LANES_K;
    let n = (tile % TILES_N * LANES_N + lane / LANES_K % LANES_N) * 4u;
    let m = (tile / TILES_N % TILES_M * LANES_M + lane / (LANES_K * LANES_N)) * 4u;
    let end = min(sum_end(z), (split + 1u) * K_PER_SPLIT);
    let rows = lhs_starts(z, m);
    let columns = rhs_start(z, n);
    var c = mat4x4<f32>();
    for (var k = split * K_PER_SPLIT + lane_k * 4u; k < end; k += LANES_K * 4u) {
        c += multiply(lhs_block(rows, k), rhs_block(columns, k));
    }
    sums[lane] = c;
    for (var step = LANES_K / 2u; step > 0u; step /= 2u) {
        workgroupBarrier();
        if (lane_k < step) {
            sums[lane] += sums[lane + step];
        }
    }
    if (lane_k == 0u) {
        store_block(z * SPLITS + split, m, n, sums[lane]);
    }
}
