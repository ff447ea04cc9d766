//! fills finalize
//
// The sums are the gradients of bias and weight.
@group(0) @binding(6) var<storage, read_write> grad_weight: array<f32>;
@group(0) @binding(7) var<storage, read_write> grad_bias: array<f32>;

fn finalize(c: u32, part: u32, none: vec4<f32>, sums: vec2<f32>) {
    grad_weight[c] = sums.y;
    grad_bias[c] = sums.x;
}
