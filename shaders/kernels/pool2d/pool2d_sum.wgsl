//! uses group, pool2d_shape
//! holes windows of pool2d_shape
//! hole term(value: f32, ky: i32, kx: i32) -> f32
//!     by pool2d_average, pool2d_weighted, pool2d_lp
//! hole settle(sum: f32, window: Window) -> f32
//!     by pool2d_average, pool2d_weighted, pool2d_lp
//! hole epilogue(at: u32, value: f32) -> f32
//!     by the plan
//
// result[n,c,oy,ox] = settle(sum of term(tap) over the window's taps in the input).
//
// Layouts NCHW. One invocation makes one output and adds the taps in row-major order. What a tap gives
// and what becomes of the sum say pool2d_average, pool2d_weighted and pool2d_lp.
@group(0) @binding(0) var<storage, read> source: array<f32>;
@group(0) @binding(1) var<storage, read_write> result: array<f32>;

const OUTPUTS: u32 = 16u; // shape

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let o = group_number(group, groups) * 64u + lane;
    if (o >= OUTPUTS) {
        return;
    }
    let window = window_of(i32(o) / OUT_W % OUT_H, i32(o) % OUT_W);
    let plane = i32(o) / (OUT_H * OUT_W) * (IN_H * IN_W);
    var sum = 0.0;
    for (var ky = 0; ky < window.rows; ky++) {
        let y = window.top + ky * DILATION_H;
        for (var kx = 0; kx < window.columns; kx++) {
            let x = window.left + kx * DILATION_W;
            sum += select(0.0, term(source[place(plane, y, x)], ky, kx), within(y, x));
        }
    }
    result[o] = epilogue(o, settle(sum, window));
}
