//! fills terms
//! hole weight_at(at: u32) -> Pack { return Pack(1.0); }
//!     by the operator
//
// The terms of batch_norm_grad_sums with a row as the channel: those of gradient times weight.
@group(0) @binding(0) var<storage, read> source: array<Pack>;
@group(0) @binding(1) var<storage, read> gradient: array<Pack>;

fn terms(at: u32, line: vec4<f32>) -> Terms {
    let g = gradient[at] * weight_at(at);
    return Terms(g, g * ((source[at] - Pack(line.x)) - Pack(line.y)));
}
