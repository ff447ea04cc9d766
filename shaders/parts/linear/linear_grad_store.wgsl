//! uses gemm_shape
//! fills store
//! hole epilogue(at: u32, value: f32) -> f32
//!     by the plan
//
// C as the gradient of a linear layer's weight, (M x N - 1), and its last column as that of the bias.
@group(0) @binding(2) var<storage, read_write> result: array<f32>;
@group(0) @binding(4) var<storage, read_write> grad_bias: array<f32>;

fn store_one(m: u32, n: u32, value: f32) {
    if (n < N - 1u) {
        let at = m * (N - 1u) + n;
        result[at] = epilogue(at, value);
    } else if (n == N - 1u) {
        grad_bias[m] = value;
    }
}

fn store(part: u32, m: u32, n: u32, values: vec4<f32>) {
    store_one(m, n, values.x);
    store_one(m, n + 1u, values.y);
    store_one(m, n + 2u, values.z);
    store_one(m, n + 3u, values.w);
}
