//! uses gemm_shape
//! fills add_bias
//
// Adds a bias along columns: one number for each n.
@group(0) @binding(3) var<storage, read> bias: array<f32>;

fn add_bias(values: vec4<f32>, row: u32, n: u32) -> vec4<f32> {
    return values + vec4<f32>(bias[n], bias[min(n + 1u, N - 1u)], bias[min(n + 2u, N - 1u)], bias[min(n + 3u, N - 1u)]);
}
