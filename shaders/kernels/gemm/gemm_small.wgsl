//! uses group, gemm_shape, gemm_product, gemm_outer, gemm_store
//! holes lhs, rhs, sum_end of gemm_product; store, add_bias of gemm_store
//
// Matrix product with small tiles in workgroup memory, for few rows and columns and a long sum; see
// gemm_shape.
//
// 64 invocations make a tile of 32 x 32; each makes a 4 x 4 block of it. In each round every invocation
// loads one 4 x 4 block of each operand for the next 32 terms into registers, multiplies the terms in
// workgroup memory, and then stores what it loaded. The sum over k runs in order.
//
// Vec4 i of term k is at i ^ (k / 4 mod 8), so that eight invocations that store neighbouring blocks along k
// hit different banks of workgroup memory. Pairs of lanes share rows or columns as in gemm_pipelined.

// Whether neighbours load B along k and not along n: as its elements lie in memory.
const RHS_ALONG_K: bool = false; // tunable

var<workgroup> lhs_tile: array<vec4<f32>, 256>; // [k][m / 4], vec4 along m
var<workgroup> rhs_tile: array<vec4<f32>, 256>; // [k][n / 4], vec4 along n

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    const TILES_N = (N + 31u) / 32u;
    const TILES_M = (M + 31u) / 32u;
    let tile = group_number(group, groups);
    let tile_n = tile % TILES_N * 32u;
    let tile_m = tile / TILES_N % TILES_M * 32u;
    let split = tile / (TILES_N * TILES_M) % SPLITS;
    let z = tile / (TILES_N * TILES_M * SPLITS);
    if (z >= BATCHES) {
        return;
    }
    // The blocks that this invocation loads.
    let lhs_k = lane % 8u;
    let lhs_m = lane / 8u;
    let rhs_k = select(lane / 8u, lane % 8u, RHS_ALONG_K);
    let rhs_n = select(lane % 8u, lane / 8u, RHS_ALONG_K);
    let rows = lhs_starts(z, tile_m + lhs_m * 4u);
    let columns = rhs_start(z, tile_n + rhs_n * 4u);
    let lhs_to = lhs_k * 32u + (lhs_m ^ lhs_k);
    let rhs_to = rhs_k * 32u + (rhs_n ^ rhs_k);
    // The block that it makes: bits 0, 3 and 4 of the lane along m.
    let row = (lane & 1u) + ((lane / 4u) & 6u);
    let column = lane / 2u % 4u + lane / 32u * 4u;
    var c = mat4x4<f32>();
    let start = split * K_PER_SPLIT;
    let end = min(sum_end(z), start + K_PER_SPLIT);
    for (var k = start; k < end + 32u; k += 32u) {
        // Past the last term there are zeros.
        var a = mat4x4<f32>();
        if (k + lhs_k * 4u < end) {
            a = transpose(lhs_block(rows, k + lhs_k * 4u));
        }
        var b = mat4x4<f32>();
        if (k + rhs_k * 4u < end) {
            b = rhs_block(columns, k + rhs_k * 4u);
        }
        if (k > start) {
            // Four terms at a time: the loop's own instructions weigh a quarter.
            for (var i = 0u; i < 256u; i += 32u) {
                let lhs_at = i + (row ^ (i / 32u));
                let rhs_at = i + (column ^ (i / 32u));
                c = outer(c, lhs_tile[lhs_at], rhs_tile[rhs_at]);
                c = outer(c, lhs_tile[lhs_at + 8u], rhs_tile[rhs_at + 8u]);
                c = outer(c, lhs_tile[lhs_at + 16u], rhs_tile[rhs_at + 16u]);
                c = outer(c, lhs_tile[lhs_at + 24u], rhs_tile[rhs_at + 24u]);
            }
            workgroupBarrier();
        }
        if (k < end) {
            for (var i = 0u; i < 4u; i++) {
                lhs_tile[lhs_to + i * 8u] = a[i];
                rhs_tile[rhs_to + i * 8u] = b[i];
            }
        }
        workgroupBarrier();
    }
    store_block(z * SPLITS + split, tile_m + row * 4u, tile_n + column * 4u, c);
}
