// result[n,c,oy,ox] = max over taps (ky,kx) of
//     source[n, c, oy * STRIDE_H - PADDING_H + ky * DILATION_H, ox * STRIDE_W - PADDING_W + kx * DILATION_W]
// taps holds ky * KERNEL_W + kx of the first largest, TAPS_PER_WORD of them a word, lowest first.
//
// Layouts NCHW. One invocation makes the outputs of one word, taps in row-major order. Taps
// outside the input are clamped and left out; the shape rule leaves at least one inside.
@group(0) @binding(0) var<storage, read> source: array<f32>;
@group(0) @binding(1) var<storage, read_write> result: array<f32>;
@group(0) @binding(2) var<storage, read_write> taps: array<u32>;

const OUTPUTS: u32 = 16u; // shape
const TAPS_PER_WORD: u32 = 4u; // shape
const IN_H: i32 = 8; // shape
const IN_W: i32 = 8; // shape
const OUT_H: i32 = 4; // shape
const OUT_W: i32 = 4; // shape
const KERNEL_H: i32 = 2; // shape
const KERNEL_W: i32 = 2; // shape
const STRIDE_H: i32 = 2; // shape
const STRIDE_W: i32 = 2; // shape
const PADDING_H: i32 = 0; // shape
const PADDING_W: i32 = 0; // shape
const DILATION_H: i32 = 1; // shape
const DILATION_W: i32 = 1; // shape
const INSIDE: bool = true; // shape

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
            let left = i32(o) % OUT_W * STRIDE_W - PADDING_W;
            let top = i32(o) / OUT_W % OUT_H * STRIDE_H - PADDING_H;
            let plane = i32(o) / (OUT_H * OUT_W) * (IN_H * IN_W);
            var best = 0.0;
            var tap = 0u;
            var found = false;
            for (var ky = 0; ky < KERNEL_H; ky++) {
                let y = top + ky * DILATION_H;
                for (var kx = 0; kx < KERNEL_W; kx++) {
                    let x = left + kx * DILATION_W;
                    let within = INSIDE || (y >= 0 && y < IN_H && x >= 0 && x < IN_W);
                    let candidate = source[plane + clamp(y, 0, IN_H - 1) * IN_W + clamp(x, 0, IN_W - 1)];
                    let wins = within && (!found || candidate > best);
                    best = select(best, candidate, wins);
                    tap = select(tap, u32(ky * KERNEL_W + kx), wins);
                    found = found || within;
                }
            }
            result[o] = best;
            kept |= tap << (part * (32u / TAPS_PER_WORD) % 32u);
        }
    }
    taps[word] = kept;
}
