//! uses group, max_pool2d_goes_before, pool2d_shape
//! holes windows of pool2d_shape
//
// parts[p][o] = the bits of the largest of the taps of window o from tap p * LENGTH on, LENGTH of them, and which
// tap it is: for windows too large for one invocation (max_pool2d).
//
// Source NCHW. One invocation makes one part, taps in row-major order; of a part without a tap in the input the
// number is NO_TAP.
@group(0) @binding(0) var<storage, read> source: array<f32>;
@group(0) @binding(1) var<storage, read_write> parts: array<vec2<u32>>;

const OUTPUTS: u32 = 16u; // shape
const PARTS: u32 = 2u; // shape
const LENGTH: u32 = 32u; // shape

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let i = group_number(group, groups) * 64u + lane;
    if (i >= OUTPUTS * PARTS) {
        return;
    }
    let o = i32(i % OUTPUTS);
    let window = window_of(o / OUT_W % OUT_H, o % OUT_W);
    let plane = o / (OUT_H * OUT_W) * (IN_H * IN_W);
    let first = i / OUTPUTS * LENGTH;
    let end = min(first + LENGTH, u32(window.rows * window.columns));
    var best = 0.0;
    var tap = NO_TAP;
    for (var t = first; t < end; t++) {
        let ky = i32(t / u32(window.columns));
        let kx = i32(t % u32(window.columns));
        let y = window.top + ky * DILATION_H;
        let x = window.left + kx * DILATION_W;
        let candidate = source[place(plane, y, x)];
        let wins = within(y, x) && (tap == NO_TAP || goes_before(candidate, best));
        best = select(best, candidate, wins);
        tap = select(tap, u32(ky * KERNEL_W + kx), wins);
    }
    parts[i] = vec2(bitcast<u32>(best), tap);
}
