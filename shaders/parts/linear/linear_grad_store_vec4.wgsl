//! uses gemm_shape
//! fills store
//! hole epilogue(at: u32, value: vec4<f32>) -> vec4<f32>
//!     by the plan
//
// C as the gradient of a linear layer's weight, (M x N - 1) with N - 1 divisible by 4, and its last column
// as that of the bias.
@group(0) @binding(2) var<storage, read_write> result: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> grad_bias: array<f32>;

fn store(part: u32, m: u32, n: u32, values: vec4<f32>) {
    if (n < N - 1u) {
        let at = (m * (N - 1u) + n) / 4u;
        result[at] = epilogue(at, values);
    } else {
        grad_bias[m] = values.x;
    }
}
