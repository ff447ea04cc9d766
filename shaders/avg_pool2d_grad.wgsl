// result[n,c,y,x] = sum of gradient[n,c,oy,ox] / divisor(oy,ox) over the windows that cover (y,x);
// the divisor as in avg_pool2d.
//
// Layouts NCHW. One invocation makes one input element: it visits the windows that can cover it,
// the last first. Windows outside are clamped and not counted, which costs less than branches.
@group(0) @binding(0) var<storage, read> gradient: array<f32>;
@group(0) @binding(1) var<storage, read_write> result: array<f32>;

const ELEMENTS: u32 = 64u; // shape
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
// Windows that can cover one element along each dimension.
const WINDOWS_H: i32 = 1; // shape
const WINDOWS_W: i32 = 1; // shape

fn divisor(oy: i32, ox: i32) -> i32 {
    if (INSIDE) {
        return KERNEL_H * KERNEL_W;
    }
    let top = oy * STRIDE_H - PADDING_H;
    let left = ox * STRIDE_W - PADDING_W;
    let border_h = select(0, PADDING_H, COUNT_INCLUDE_PAD);
    let border_w = select(0, PADDING_W, COUNT_INCLUDE_PAD);
    let rows = min(top + KERNEL_H, IN_H + border_h) - max(top, -border_h);
    let columns = min(left + KERNEL_W, IN_W + border_w) - max(left, -border_w);
    return rows * columns;
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
        let hits_row = oy >= 0 && oy < OUT_H && y - oy * STRIDE_H < KERNEL_H;
        for (var b = 0; b < WINDOWS_W; b++) {
            let ox = i32(u32(x) / u32(STRIDE_W)) - b;
            let hits_column = ox >= 0 && ox < OUT_W && x - ox * STRIDE_W < KERNEL_W;
            let down = clamp(oy, 0, OUT_H - 1);
            let right = clamp(ox, 0, OUT_W - 1);
            let term = gradient[plane + down * OUT_W + right] / f32(divisor(down, right));
            sum += select(0.0, term, hits_row && hits_column);
        }
    }
    result[i] = sum;
}
