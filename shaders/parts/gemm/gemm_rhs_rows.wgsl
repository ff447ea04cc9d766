//! uses gemm_shape
//! hole rhs_row(start: RhsStart, k: u32) -> vec4<f32>
//!     by matmul_rhs_rows, matmul_rhs_any, conv2d_input_columns, conv2d_input_rows, conv2d_pixels,
//!        conv2d_gradient_columns, conv2d_phase_columns, linear_grad_rhs, linear_grad_rhs_any
//
// Blocks of B by rows, which are asked for below K.
fn rhs_at(start: RhsStart, k: u32) -> vec4<f32> {
    if (K % 4u != 0u && k >= K) {
        return vec4<f32>();
    }
    return rhs_row(start, k);
}

fn rhs_block(start: RhsStart, k: u32) -> mat4x4<f32> {
    return mat4x4<f32>(rhs_at(start, k), rhs_at(start, k + 1u), rhs_at(start, k + 2u), rhs_at(start, k + 3u));
}
