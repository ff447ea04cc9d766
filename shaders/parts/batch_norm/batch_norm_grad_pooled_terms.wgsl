//! uses max_pool2d_taps, pack_1
//! fills terms
//
// The terms of batch_norm_grad_sums where the gradient comes from pooling: only the tap that won in a
// window has one, so one place is one window. Source (N, C, H, W), gradient (N, C, OUT_H, OUT_W), taps
// as batch_norm_max_pool2d keeps them.
@group(0) @binding(0) var<storage, read> source: array<f32>;
@group(0) @binding(1) var<storage, read> gradient: array<Pack>;
@group(0) @binding(3) var<storage, read> taps: array<u32>;

// The place in (N, C, 2 OUT_H, 2 OUT_W) of the tap that won in window `at` of (N, C, OUT_H, OUT_W).
fn winner(at: u32) -> u32 {
    let plane = at / WINDOWS;
    let o = at % WINDOWS;
    let tap = (taps[plane * WORDS + o / 4u] >> (o % 4u * 8u)) & 0xffu;
    let row = o / OUT_W * 2u + tap / 2u;
    return plane * (4u * WINDOWS) + row * (2u * OUT_W) + o % OUT_W * 2u + tap % 2u;
}

fn terms(at: u32, line: vec4<f32>) -> Terms {
    let g = gradient[at];
    let x = source[winner(at)];
    return Terms(g, g * ((x - line.x) - line.y));
}
