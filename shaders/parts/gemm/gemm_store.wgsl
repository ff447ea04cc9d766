//! uses gemm_shape
//! hole store(z: u32, m: u32, n: u32, values: vec4<f32>)
//!     by matmul_store, matmul_store_vec4, conv2d_store, conv2d_store_vec4, conv2d_phase_store, linear_grad_store,
//!        linear_grad_store_vec4, split_store
//! hole add_bias(values: vec4<f32>, row: u32, n: u32) -> vec4<f32> { return values; }
//!     by gemm_bias_rows, gemm_bias_columns
//
// Stores a 4 x 4 block of the result, as far as it lies within M and N; m is a multiple of 4.
fn store_block(part: u32, m: u32, n: u32, c: mat4x4<f32>) {
    if (m >= M || n >= N) {
        return;
    }
    store(part, m, n, add_bias(c[0], part * M + m, n));
    if (M % 4u == 0u || m + 1u < M) {
        store(part, m + 1u, n, add_bias(c[1], part * M + m + 1u, n));
    }
    if (M % 4u == 0u || m + 2u < M) {
        store(part, m + 2u, n, add_bias(c[2], part * M + m + 2u, n));
    }
    if (M % 4u == 0u || m + 3u < M) {
        store(part, m + 3u, n, add_bias(c[3], part * M + m + 3u, n));
    }
}
