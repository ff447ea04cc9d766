//! uses group, pool2d_shape
//! holes windows of pool2d_shape
//! hole last_winner(plane: i32, y: i32, x: i32) -> i32
//!     by pool2d_last_winner, pool2d_last_kept
//! hole epilogue(at: u32, value: f32) -> f32
//!     by the plan
//
// result[n,c,y,x] = source[n,c,oy,ox] of the last window (oy,ox) in which (y,x) won, and zero where there is
// none.
//
// Layouts NCHW. One invocation makes one element.
@group(0) @binding(0) var<storage, read> source: array<f32>;
@group(0) @binding(2) var<storage, read_write> result: array<f32>;

const ELEMENTS: u32 = 64u; // shape

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let i = group_number(group, groups) * 64u + lane;
    if (i >= ELEMENTS) {
        return;
    }
    let plane = i32(i) / (IN_H * IN_W) * (OUT_H * OUT_W);
    let o = last_winner(plane, i32(i) / IN_W % IN_H, i32(i) % IN_W);
    result[i] = epilogue(i, select(0.0, source[max(o, 0)], o >= 0));
}
