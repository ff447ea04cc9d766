// The terms of batch_norm_grad_sums where the gradient comes from pooling: only the tap that won in a
// window has one, so one place is one window. Source (N, C, H, W), gradient (N, C, OUT_H, OUT_W), taps
// as batch_norm_max_pool2d keeps them. Needs shared/pack_1.
@group(0) @binding(0) var<storage, read> source: array<f32>;
@group(0) @binding(1) var<storage, read> gradient: array<Pack>;
@group(0) @binding(3) var<storage, read> taps: array<u32>;

fn terms(at: u32, line: vec4<f32>) -> Terms {
    let g = gradient[at];
    let x = source[winner(at)];
    return Terms(g, g * ((x - line.x) - line.y));
}
