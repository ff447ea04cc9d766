//! uses group, gemm_shape, gemm_store
//! holes store, add_bias of gemm_store
//
// Adds the parts of a split sum in order, and stores the result as the unsplit kernel would.
//
// parts is (BATCHES x SPLITS x M x N rounded up to 4). An invocation makes four columns of a row. Of very many
// parts each EACH in a row become one, kept apart by split_store, and a further run adds those.
@group(0) @binding(0) var<storage, read> parts: array<vec4<f32>>;

const EACH: u32 = 1u; // shape

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
