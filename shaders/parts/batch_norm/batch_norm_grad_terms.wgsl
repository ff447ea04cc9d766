//! fills terms
//
// The terms of batch_norm_grad_sums, from source and gradient (N, C, PLANE).
@group(0) @binding(0) var<storage, read> source: array<Pack>;
@group(0) @binding(1) var<storage, read> gradient: array<Pack>;

fn terms(at: u32, line: vec4<f32>) -> Terms {
    let g = gradient[at];
    return Terms(g, g * ((source[at] - Pack(line.x)) - Pack(line.y)));
}
