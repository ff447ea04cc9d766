//! fills finalize
//! hole also_finalize(c: u32) {}
//!     by batch_norm_grad_source_bias
//
// What follows from a channel's sums, with n elements a channel and normal = (source - mean) * inverse:
//     grad_weight = sum of gradient * normal
//     grad_bias   = sum of gradient
//     grad_source = weight * inverse * (gradient - grad_bias / n - normal * grad_weight / n)
// (Ioffe and Szegedy, "Batch Normalization", section 3, the sums over mean and variance carried out.)
// The last is a line in gradient and source for each channel: lines[c] = (shift, factor of gradient,
// factor of source - shift, what is added).
@group(0) @binding(5) var<storage, read_write> lines: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read_write> grad_weight: array<f32>;
@group(0) @binding(7) var<storage, read_write> grad_bias: array<f32>;

// Elements of a channel of the source.
const ELEMENTS: f32 = 8.0; // shape

fn finalize(c: u32, part: u32, line: vec4<f32>, sums: vec2<f32>) {
    let slope = -line.w * line.z * line.z * sums.y / ELEMENTS;
    lines[c] = vec4(line.x, line.w, slope, -line.w * sums.x / ELEMENTS - slope * line.y);
    grad_weight[c] = sums.y * line.z;
    grad_bias[c] = sums.x;
    also_finalize(c);
}
