//! hole lhs_row(start: u32, k: u32) -> vec4<f32>
//!     by matmul_lhs_rows, conv2d_gradient_rows_vec4, gemm_lhs_elements
//
// Blocks of A by rows.
fn lhs_block(starts: vec4<u32>, k: u32) -> mat4x4<f32> {
    return mat4x4<f32>(lhs_row(starts.x, k), lhs_row(starts.y, k), lhs_row(starts.z, k), lhs_row(starts.w, k));
}
