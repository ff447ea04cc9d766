//! uses group, pool2d_shape
//! holes windows of pool2d_shape
//! hole term(value: f32, ky: i32, kx: i32) -> f32
//!     by pool2d_average, pool2d_weighted, pool2d_lp
//
// parts[p][o] = sum of term(tap) over every PARTS-th tap in the input of window o, from tap p on: for windows
// too large for one invocation (pool2d_sum).
//
// Source NCHW. One invocation makes one part: it adds stretches of taps in row-major order, and those in order.
// What a tap gives say pool2d_average, pool2d_weighted and pool2d_lp.
@group(0) @binding(0) var<storage, read> source: array<f32>;
@group(0) @binding(1) var<storage, read_write> parts: array<f32>;

const OUTPUTS: u32 = 16u; // shape
const PARTS: u32 = 2u; // shape

// Rounding grows with a stretch and with the number of stretches, not with their product.
const STRETCH: u32 = 32u;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let i = group_number(group, groups) * 64u + lane;
    if (i >= OUTPUTS * PARTS) {
        return;
    }
    let o = i32(i % OUTPUTS);
    let window = window_of(o / OUT_W % OUT_H, o % OUT_W);
    let plane = o / (OUT_H * OUT_W) * (IN_H * IN_W);
    let taps = u32(window.rows * window.columns);
    var tap = i / OUTPUTS;
    var sum = 0.0;
    while (tap < taps) {
        var stretch = 0.0;
        for (var k = 0u; k < STRETCH && tap < taps; k++) {
            let ky = i32(tap / u32(window.columns));
            let kx = i32(tap % u32(window.columns));
            let y = window.top + ky * DILATION_H;
            let x = window.left + kx * DILATION_W;
            stretch += select(0.0, term(source[place(plane, y, x)], ky, kx), within(y, x));
            tap += PARTS;
        }
        sum += stretch;
    }
    parts[i] = sum;
}
