//! uses group, conv2d_winograd
//
// Transforms the output's gradient in each tile of 2 x 2 and channel: transformed is (16 x OUT x COLUMNS), zero past
// the output. An invocation makes one tile of one channel; neighbours make neighbouring tiles.
@group(0) @binding(0) var<storage, read> gradient: array<f32>;
@group(0) @binding(1) var<storage, read_write> transformed: array<f32>;

fn element(plane: u32, h: u32, w: u32) -> f32 {
    let inside = h < OH && w < OW;
    return select(0.0, gradient[select(0u, plane + h * OW + w, inside)], inside);
}

fn keep(at: u32, b: u32, values: vec4<f32>) {
    const EACH = OUT * COLUMNS;
    transformed[at + 4u * b * EACH] = values.x;
    transformed[at + (4u * b + 1u) * EACH] = values.y;
    transformed[at + (4u * b + 2u) * EACH] = values.z;
    transformed[at + (4u * b + 3u) * EACH] = values.w;
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let i = group_number(group, groups) * 64u + lane;
    if (i >= OUT * COLUMNS) {
        return;
    }
    let tile = i % COLUMNS;
    var e0 = vec2<f32>();
    var e1 = vec2<f32>();
    if (tile < TILES) {
        let start = tile_start(tile);
        let plane = (start.image * OUT + i / COLUMNS) * (OH * OW);
        let h = u32(start.h);
        let w = u32(start.w);
        e0 = vec2(element(plane, h, w), element(plane, h, w + 1u));
        e1 = vec2(element(plane, h + 1u, w), element(plane, h + 1u, w + 1u));
    }
    let x = transpose(mat4x2<f32>(e0, 0.5 * (e0 + e1), 0.5 * (e0 - e1), e1));
    keep(i, 0u, x[0]);
    keep(i, 1u, 0.5 * (x[0] + x[1]));
    keep(i, 2u, 0.5 * (x[0] - x[1]));
    keep(i, 3u, x[1]);
}
