// result[n,c,oy,ox] = (sum over the window's taps in the input) / divisor, where the divisor counts
// the window's taps in the padded input, or in the input alone.
//
// Layouts NCHW. One invocation makes one output and adds the taps in row-major order. Taps outside
// are clamped and not counted, which costs less than branches.
@group(0) @binding(0) var<storage, read> source: array<f32>;
@group(0) @binding(1) var<storage, read_write> result: array<f32>;

const OUTPUTS: u32 = 16u; // shape
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
const COUNT_INCLUDE_PAD: bool = true; // shape
const INSIDE: bool = true; // shape

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let o = group_number(group, groups) * 64u + lane;
    if (o >= OUTPUTS) {
        return;
    }
    let left = i32(o) % OUT_W * STRIDE_W - PADDING_W;
    let top = i32(o) / OUT_W % OUT_H * STRIDE_H - PADDING_H;
    let plane = i32(o) / (OUT_H * OUT_W) * (IN_H * IN_W);
    var sum = 0.0;
    for (var ky = 0; ky < KERNEL_H; ky++) {
        let y = top + ky;
        for (var kx = 0; kx < KERNEL_W; kx++) {
            let x = left + kx;
            let within = INSIDE || (y >= 0 && y < IN_H && x >= 0 && x < IN_W);
            let tap = source[plane + clamp(y, 0, IN_H - 1) * IN_W + clamp(x, 0, IN_W - 1)];
            sum += select(0.0, tap, within);
        }
    }
    var divisor = KERNEL_H * KERNEL_W;
    if (!INSIDE) {
        let border_h = select(0, PADDING_H, COUNT_INCLUDE_PAD);
        let border_w = select(0, PADDING_W, COUNT_INCLUDE_PAD);
        let rows = min(top + KERNEL_H, IN_H + border_h) - max(top, -border_h);
        let columns = min(left + KERNEL_W, IN_W + border_w) - max(left, -border_w);
        divisor = rows * columns;
    }
    result[o] = sum / f32(divisor);
}
