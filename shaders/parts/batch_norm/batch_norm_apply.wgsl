//! uses element
//! fills made
//! hole bias_of(c: u32) -> f32 { return 0.0; }
//!     by batch_norm_bias
//
// (source - mean) * weight / sqrt(variance + EPSILON) + bias, from what batch_norm_finalize found, for a
// source (N, C, PLANE).
@group(0) @binding(0) var<storage, read> source: array<Element>;
@group(0) @binding(1) var<storage, read> statistics: array<vec4<f32>>;

const CHANNELS: u32 = 2u; // shape
const PLANE: u32 = 4u; // shape

fn made(i: u32) -> Element {
    let c = i / PLANE % CHANNELS;
    let line = statistics[c];
    return (source[i] - Element(line.x) - Element(line.y)) * line.w + Element(bias_of(c));
}
