//! uses gemm_shape, gemm_lhs_rows
//! fills lhs_row
//! hole lhs_element(start: u32, k: u32) -> f32
//!     by matmul_lhs_any, conv2d_weight_by_input, conv2d_phase_weight, conv2d_gradient_rows
//
// Rows of A by elements, which are asked for below K.
fn lhs_at(start: u32, k: u32) -> f32 {
    if (K % 4u != 0u && k >= K) {
        return 0.0;
    }
    return lhs_element(start, k);
}

fn lhs_row(start: u32, k: u32) -> vec4<f32> {
    return vec4(lhs_at(start, k), lhs_at(start, k + 1u), lhs_at(start, k + 2u), lhs_at(start, k + 3u));
}
