//! uses group, pool2d_shape
//! holes windows of pool2d_shape
//! hole share(gradient: f32, i: u32, o: u32, down: Cover, right: Cover) -> f32
//!     by pool2d_average, pool2d_weighted, pool2d_lp_share, pool2d_winner_share
//! hole epilogue(at: u32, value: f32) -> f32
//!     by the plan
//
// result[n,c,y,x] = sum of share(gradient[n,c,oy,ox], ...) over the windows (oy,ox) that cover (y,x).
//
// Layouts NCHW. One invocation makes one input element: it visits the windows that can cover it, the
// last first. What a window gives to one of its taps says the file of each kind of pooling.
@group(0) @binding(0) var<storage, read> gradient: array<f32>;
@group(0) @binding(3) var<storage, read_write> result: array<f32>;

const ELEMENTS: u32 = 64u; // shape

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let i = group_number(group, groups) * 64u + lane;
    if (i >= ELEMENTS) {
        return;
    }
    let row = i / u32(IN_W);
    let x = i32(i - row * u32(IN_W));
    let image = row / u32(IN_H);
    let y = i32(row - image * u32(IN_H));
    let plane = i32(image) * (OUT_H * OUT_W);
    var sum = 0.0;
    for (var a = 0; a < COVERS_H; a++) {
        let down = cover_row(y, a);
        for (var b = 0; b < COVERS_W; b++) {
            let right = cover_column(x, b);
            let o = u32(plane + down.window * OUT_W + right.window);
            sum += select(0.0, share(gradient[o], i, o, down, right), down.hits && right.hits);
        }
    }
    result[i] = epilogue(i, sum);
}
