//! uses gemm_shape, gemm_store_elements
//! fills store, store_element
//! hole epilogue(at: u32, value: f32) -> f32
//!     by the plan
//
// C as the gradient of a linear layer's weight, (M x N - 1), and its last column as that of the bias.
@group(0) @binding(2) var<storage, read_write> result: array<f32>;
@group(0) @binding(4) var<storage, read_write> grad_bias: array<f32>;

fn store_element(z: u32, m: u32, n: u32, value: f32) {
    if (n < N - 1u) {
        let at = m * (N - 1u) + n;
        result[at] = epilogue(at, value);
    } else if (n == N - 1u) {
        grad_bias[m] = value;
    }
}
