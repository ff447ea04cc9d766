//! uses group, conv2d_winograd
//
// Transforms the 4 x 4 inputs of each tile and channel: transformed is (16 x IN x COLUMNS). What lies in the
// padding is zero. An invocation makes one tile of one channel; neighbours make neighbouring tiles.
@group(0) @binding(0) var<storage, read> source: array<f32>;
@group(0) @binding(1) var<storage, read_write> transformed: array<f32>;

fn element(plane: u32, h: i32, w: i32) -> f32 {
    let inside = h >= 0 && h < i32(H) && w >= 0 && w < i32(W);
    // What is outside reads the first element, and is taken away.
    return select(0.0, source[select(0u, plane + u32(h) * W + u32(w), inside)], inside);
}

fn row(plane: u32, h: i32, w: i32) -> vec4<f32> {
    return vec4(element(plane, h, w), element(plane, h, w + 1), element(plane, h, w + 2), element(plane, h, w + 3));
}

fn differences(d: mat4x4<f32>) -> mat4x4<f32> {
    return mat4x4<f32>(d[0] - d[2], d[1] + d[2], d[2] - d[1], d[1] - d[3]);
}

fn keep(at: u32, b: u32, values: vec4<f32>) {
    const EACH = IN * COLUMNS;
    transformed[at + 4u * b * EACH] = values.x;
    transformed[at + (4u * b + 1u) * EACH] = values.y;
    transformed[at + (4u * b + 2u) * EACH] = values.z;
    transformed[at + (4u * b + 3u) * EACH] = values.w;
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let i = group_number(group, groups) * 64u + lane;
    if (i >= IN * COLUMNS) {
        return;
    }
    let tile = i % COLUMNS;
    var d = mat4x4<f32>();
    if (tile < TILES) {
        let start = tile_start(tile);
        let plane = (start.image * IN + i / COLUMNS) * (H * W);
        let h = start.h - PH;
        let w = start.w - PW;
        d = mat4x4<f32>(row(plane, h, w), row(plane, h + 1, w), row(plane, h + 2, w), row(plane, h + 3, w));
    }
    let x = differences(transpose(differences(d)));
    keep(i, 0u, x[0]);
    keep(i, 1u, x[1]);
    keep(i, 2u, x[2]);
    keep(i, 3u, x[3]);
}
