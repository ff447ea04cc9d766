//! uses group, upsample2d_shape, upsample2d_at_nearest
//! hole epilogue(at: u32, value: f32) -> f32
//!     by the plan
//
// result[n,c,oy,ox] = source[n, c, index(oy), index(ox)].
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
    let plane = i32(o) / (OUT_H * OUT_W) * (IN_H * IN_W);
    let y = index(i32(o) / OUT_W % OUT_H, SCALE_H, IN_H);
    let x = index(i32(o) % OUT_W, SCALE_W, IN_W);
    result[o] = epilogue(o, source[plane + y * IN_W + x]);
}
