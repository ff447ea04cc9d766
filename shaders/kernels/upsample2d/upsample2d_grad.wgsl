//! uses group, upsample2d_shape, upsample2d_first
//! holes interpolation of upsample2d_first
//! hole epilogue(at: u32, value: f32) -> f32
//!     by the plan
//
// result[n,c,y,x] = sum of weight(oy, y) weight(ox, x) gradient[n,c,oy,ox] over the outputs that (y,x) is in.
//
// Layouts NCHW. One invocation makes one input element: along each dimension its outputs are neighbours,
// and it adds them row by row.
@group(0) @binding(0) var<storage, read> gradient: array<f32>;
@group(0) @binding(1) var<storage, read_write> result: array<f32>;

const ELEMENTS: u32 = 16u; // shape

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let i = group_number(group, groups) * 64u + lane;
    if (i >= ELEMENTS) {
        return;
    }
    let y = i32(i) / IN_W % IN_H;
    let x = i32(i) % IN_W;
    let plane = i32(i) / (IN_H * IN_W) * (OUT_H * OUT_W);
    let end_y = first(y + 1, SCALE_H, IN_H, OUT_H);
    let start_x = first(x - reach(SCALE_W), SCALE_W, IN_W, OUT_W);
    let end_x = first(x + 1, SCALE_W, IN_W, OUT_W);
    var sum = 0.0;
    for (var oy = first(y - reach(SCALE_H), SCALE_H, IN_H, OUT_H); oy < end_y; oy++) {
        var row = 0.0;
        for (var ox = start_x; ox < end_x; ox++) {
            row += weight(ox, x, SCALE_W, IN_W) * gradient[plane + oy * OUT_W + ox];
        }
        sum += weight(oy, y, SCALE_H, IN_H) * row;
    }
    result[i] = epilogue(i, sum);
}
