//! uses group, max_pool2d_goes_before, pool2d_shape
//! holes windows of pool2d_shape
//! hole keep(word: u32, won: u32) {}
//!     by max_pool2d_keep
//
// result[n,c,oy,ox] = the largest of the window's taps in the input; keep gets ky * KERNEL_W + kx of the
// first that is as large, TAPS_PER_WORD of them a word, lowest first. Where there is NaN the last one wins.
//
// Layouts NCHW. One invocation makes the outputs of one word, taps in row-major order. The shape rule
// leaves at least one tap inside.
@group(0) @binding(0) var<storage, read> source: array<f32>;
@group(0) @binding(1) var<storage, read_write> result: array<f32>;

const OUTPUTS: u32 = 16u; // shape
const TAPS_PER_WORD: u32 = 4u; // shape

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let word = group_number(group, groups) * 64u + lane;
    if (word * TAPS_PER_WORD >= OUTPUTS) {
        return;
    }
    var kept = 0u;
    for (var part = 0u; part < TAPS_PER_WORD; part++) {
        let o = word * TAPS_PER_WORD + part;
        if (o < OUTPUTS) {
            let window = window_of(i32(o) / OUT_W % OUT_H, i32(o) % OUT_W);
            let plane = i32(o) / (OUT_H * OUT_W) * (IN_H * IN_W);
            var best = 0.0;
            var tap = 0u;
            var found = false;
            for (var ky = 0; ky < window.rows; ky++) {
                let y = window.top + ky * DILATION_H;
                for (var kx = 0; kx < window.columns; kx++) {
                    let x = window.left + kx * DILATION_W;
                    let candidate = source[place(plane, y, x)];
                    let wins = within(y, x) && (!found || goes_before(candidate, best));
                    best = select(best, candidate, wins);
                    tap = select(tap, u32(ky * KERNEL_W + kx), wins);
                    found = found || within(y, x);
                }
            }
            result[o] = best;
            kept |= tap << (part * (32u / TAPS_PER_WORD) % 32u);
        }
    }
    keep(word, kept);
}
