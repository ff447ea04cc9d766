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
    for (var s = 1u; s < count; s++) {
        sum += parts[first + s * (M * COLUMNS)];
    }
    let m = i / COLUMNS % M;
    let n = i % COLUMNS * 4u;
    store(z, m, n, add_bias(sum, z * M + m, n));
}
