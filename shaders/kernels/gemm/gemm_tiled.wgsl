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
