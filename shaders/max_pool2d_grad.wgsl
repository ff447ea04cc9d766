// result[n,c,y,x] = sum of gradient[n,c,oy,ox] over the windows (oy,ox) whose winning tap is (y,x).
//
// Layouts NCHW; taps as max_pool2d keeps them. One invocation makes one input element: it visits
// the windows that can cover it, the last first, and adds those whose kept tap leads back to it. Windows outside
// are clamped and not counted, which costs less than branches around loads.
@group(0) @binding(0) var<storage, read> gradient: array<f32>;
@group(0) @binding(1) var<storage, read> taps: array<u32>;
@group(0) @binding(2) var<storage, read_write> result: array<f32>;

const ELEMENTS: u32 = 64u; // shape
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
// Windows that can cover one element along each dimension.
const WINDOWS_H: i32 = 1; // shape
const WINDOWS_W: i32 = 1; // shape

// The tap of output o's window that won.
fn winner(o: u32) -> i32 {
    let bits = 32u / TAPS_PER_WORD;
    let word = taps[o / TAPS_PER_WORD] >> (o % TAPS_PER_WORD * bits);
    return i32(word & (0xffffffffu >> (32u - bits)));
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let i = group_number(group, groups) * 64u + lane;
    if (i >= ELEMENTS) {
        return;
    }
    let row = i / u32(IN_W);
    let x = i32(i - row * u32(IN_W)) + PADDING_W;
    let image = row / u32(IN_H);
    let y = i32(row - image * u32(IN_H)) + PADDING_H;
    let plane = i32(image) * (OUT_H * OUT_W);
    var sum = 0.0;
    for (var a = 0; a < WINDOWS_H; a++) {
        let oy = i32(u32(y) / u32(STRIDE_H)) - a;
        let down = y - oy * STRIDE_H;
        let ky = i32(u32(down) / u32(DILATION_H));
        let hits_row = oy >= 0 && oy < OUT_H && ky < KERNEL_H && ky * DILATION_H == down;
        for (var b = 0; b < WINDOWS_W; b++) {
            let ox = i32(u32(x) / u32(STRIDE_W)) - b;
            let right = x - ox * STRIDE_W;
            let kx = i32(u32(right) / u32(DILATION_W));
            let hits_column = ox >= 0 && ox < OUT_W && kx < KERNEL_W && kx * DILATION_W == right;
            let o = u32(plane + clamp(oy, 0, OUT_H - 1) * OUT_W + clamp(ox, 0, OUT_W - 1));
            let won = winner(o) == ky * KERNEL_W + kx;
            sum += select(0.0, gradient[o], hits_row && hits_column && won);
        }
    }
    result[i] = sum;
}
