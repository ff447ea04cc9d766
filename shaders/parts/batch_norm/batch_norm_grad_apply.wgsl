//! uses element, pack
//! fills made
//! hole gradient_at(i: u32) -> Pack
//!     by gradient_plain, gradient_pooled, row_norm_gradient
//
// gradient * a + (source - shift) * b + d, with the line of each channel that batch_norm_grad_finalize
// found, for a source (N, C, PLANE).
@group(0) @binding(0) var<storage, read> source: array<Pack>;
@group(0) @binding(5) var<storage, read> lines: array<vec4<f32>>;

const CHANNELS: u32 = 2u; // shape
const PLANE: u32 = 4u; // shape

fn made(i: u32) -> Element {
    let line = lines[i / PLANE % CHANNELS];
    return gradient_at(i) * line.y + (source[i] - Pack(line.x)) * line.z + Pack(line.w);
}
