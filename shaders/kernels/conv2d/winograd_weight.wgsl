//! uses group, conv2d_winograd
//
// Transforms each window: transformed is (16 x OUT x IN). An invocation makes one window.
@group(0) @binding(0) var<storage, read> weight: array<f32>;
@group(0) @binding(1) var<storage, read_write> transformed: array<f32>;

fn row(r: u32, c: u32, kh: u32) -> vec3<f32> {
    let at = weight_place(r, c, kh);
    return select(vec3(weight[at], weight[at + 1u], weight[at + 2u]), vec3(weight[at + 2u], weight[at + 1u], weight[at]), FLIP);
}

fn keep(at: u32, b: u32, values: vec4<f32>) {
    const EACH = OUT * IN;
    transformed[at + 4u * b * EACH] = values.x;
    transformed[at + (4u * b + 1u) * EACH] = values.y;
    transformed[at + (4u * b + 2u) * EACH] = values.z;
    transformed[at + (4u * b + 3u) * EACH] = values.w;
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let i = group_number(group, groups) * 64u + lane;
    if (i >= OUT * IN) {
        return;
    }
    let r = i / IN;
    let c = i % IN;
    let g0 = row(r, c, 0u);
    let g1 = row(r, c, 1u);
    let g2 = row(r, c, 2u);
    let x = transpose(mat4x3<f32>(g0, 0.5 * (g0 + g1 + g2), 0.5 * (g0 - g1 + g2), g2));
    keep(i, 0u, x[0]);
    keep(i, 1u, 0.5 * (x[0] + x[1] + x[2]));
    keep(i, 2u, 0.5 * (x[0] - x[1] + x[2]));
    keep(i, 3u, x[2]);
}
