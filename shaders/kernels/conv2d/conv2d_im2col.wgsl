//! uses group, conv2d_shape
//
// columns[z][k][n]: the input unrolled, k = (channel, kh, kw), n = (image, oh, ow), z the group.
// What lies in the padding is zero. One invocation, one element.
@group(0) @binding(0) var<storage, read> input: array<f32>;
@group(0) @binding(1) var<storage, read_write> columns: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    const ROWS = IN * KH * KW;
    const COLUMNS = IMAGES * OH * OW;
    let i = group_number(group, groups) * 64u + lane;
    if (i >= GROUPS * ROWS * COLUMNS) {
        return;
    }
    let n = i % COLUMNS;
    let tap = tap_of(i / COLUMNS % ROWS);
    let z = i / (COLUMNS * ROWS);
    let h = i32(n / OW % OH * SH + tap.h * DH) - PH;
    let w = i32(n % OW * SW + tap.w * DW) - PW;
    var value = 0.0;
    if (h >= 0 && h < i32(H) && w >= 0 && w < i32(W)) {
        value = input[(((n / (OH * OW) * GROUPS + z) * IN + tap.channel) * H + u32(h)) * W + u32(w)];
    }
    columns[i] = value;
}
