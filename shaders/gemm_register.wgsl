// Matrix product with a register tile and no workgroup memory; see shared/gemm_shape.
//
// An invocation makes 8 rows x 16 columns. Lanes lie side by side along columns, LANES_N of them,
// and then along rows. The sum over k runs in order within stretches of CHUNK, and the stretches'
// sums are added in order: rounding then grows with the root of a stretch and not of K.
const LANES_N: u32 = 8u; // tunable
const LANES_M: u32 = 8u; // tunable
const CHUNK: u32 = 128u; // tunable

@compute @workgroup_size(LANES_N * LANES_M)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    const TILES_N = (N + 16u * LANES_N - 1u) / (16u * LANES_N);
    const TILES_M = (M + 8u * LANES_M - 1u) / (8u * LANES_M);
    let tile = group_number(group, groups);
    let n = (tile % TILES_N * LANES_N + lane % LANES_N) * 16u;
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
    var sum00 = mat4x4<f32>();
    var sum01 = mat4x4<f32>();
    var sum02 = mat4x4<f32>();
    var sum03 = mat4x4<f32>();
    var sum10 = mat4x4<f32>();
    var sum11 = mat4x4<f32>();
    var sum12 = mat4x4<f32>();
    var sum13 = mat4x4<f32>();
    let end = min(K, (split + 1u) * K_PER_SPLIT);
    for (var first = split * K_PER_SPLIT; first < end; first += CHUNK) {
        var c00 = mat4x4<f32>();
        var c01 = mat4x4<f32>();
        var c02 = mat4x4<f32>();
        var c03 = mat4x4<f32>();
        var c10 = mat4x4<f32>();
        var c11 = mat4x4<f32>();
        var c12 = mat4x4<f32>();
        var c13 = mat4x4<f32>();
        for (var k = first; k < min(end, first + CHUNK); k += 4u) {
            let a0 = lhs_block(rows0, k);
            let a1 = lhs_block(rows1, k);
            let b0 = rhs_block(columns0, k);
            c00 = multiply_add(c00, a0, b0);
            c10 = multiply_add(c10, a1, b0);
            let b1 = rhs_block(columns1, k);
            c01 = multiply_add(c01, a0, b1);
            c11 = multiply_add(c11, a1, b1);
            let b2 = rhs_block(columns2, k);
            c02 = multiply_add(c02, a0, b2);
            c12 = multiply_add(c12, a1, b2);
            let b3 = rhs_block(columns3, k);
            c03 = multiply_add(c03, a0, b3);
            c13 = multiply_add(c13, a1, b3);
        }
        sum00 += c00;
        sum01 += c01;
        sum02 += c02;
        sum03 += c03;
        sum10 += c10;
        sum11 += c11;
        sum12 += c12;
        sum13 += c13;
    }
    let part = z * SPLITS + split;
    store_block(part, m, n, sum00);
    store_block(part, m, n + 4u, sum01);
    store_block(part, m, n + 8u, sum02);
    store_block(part, m, n + 12u, sum03);
    store_block(part, m + 4u, n, sum10);
    store_block(part, m + 4u, n + 4u, sum11);
    store_block(part, m + 4u, n + 8u, sum12);
    store_block(part, m + 4u, n + 12u, sum13);
}
