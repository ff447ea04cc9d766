//! uses group, upsample2d_shape, upsample2d_at_bilinear
//! hole epilogue(at: u32, value: f32) -> f32
//!     by the plan
//
// result[n,c,oy,ox] = the mean of the four elements around its position, each by how near it is: first along
// rows, then between them.
//
// Layouts NCHW. One invocation makes one output.
@group(0) @binding(0) var<storage, read> source: array<f32>;
@group(0) @binding(1) var<storage, read_write> result: array<f32>;

const OUTPUTS: u32 = 64u; // shape

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let o = group_number(group, groups) * 64u + lane;
    if (o >= OUTPUTS) {
        return;
    }
    let oy = i32(o) / OUT_W % OUT_H;
    let ox = i32(o) % OUT_W;
    let y = index(oy, SCALE_H, IN_H);
    let x = index(ox, SCALE_W, IN_W);
    let down = behind(oy, SCALE_H, IN_H);
    let right = behind(ox, SCALE_W, IN_W);
    let upper = i32(o) / (OUT_H * OUT_W) * (IN_H * IN_W) + y * IN_W;
    let lower = upper + (next(y, SCALE_H, IN_H) - y) * IN_W;
    let behind_x = next(x, SCALE_W, IN_W);
    let above = between(source[upper + x], source[upper + behind_x], right, SCALE_W);
    let below = between(source[lower + x], source[lower + behind_x], right, SCALE_W);
    result[o] = epilogue(o, between(above, below, down, SCALE_H));
}
