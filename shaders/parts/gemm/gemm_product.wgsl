//! hole lhs
//!     lhs_start(z: u32, m: u32) -> u32
//!     lhs_block(starts: vec4<u32>, k: u32) -> mat4x4<f32>
//!     by matmul_lhs_rows, matmul_lhs_columns, matmul_lhs_any, conv2d_weight_by_input, conv2d_phase_weight,
//!        conv2d_gradient_rows, conv2d_gradient_rows_vec4
//! hole rhs
//!     rhs_start(z: u32, n: u32) -> RhsStart
//!     rhs_block(start: RhsStart, k: u32) -> mat4x4<f32>
//!     by matmul_rhs_rows, matmul_rhs_columns, matmul_rhs_any, conv2d_input_columns, conv2d_input_rows, conv2d_pixels,
//!        conv2d_pixel_columns, conv2d_gradient_columns, conv2d_phase_columns, linear_grad_rhs, linear_grad_rhs_any
//! hole sum_end(z: u32) -> u32 { return K; }
//!     by conv2d_phase_columns
//
// Products of 4 x 4 blocks, from which gemm_* are made; see gemm_shape.

// The starts of rows m to m + 3.
fn lhs_starts(z: u32, m: u32) -> vec4<u32> {
    return vec4(lhs_start(z, m), lhs_start(z, m + 1u), lhs_start(z, m + 2u), lhs_start(z, m + 3u));
}

// a b for a row of A and four rows of B.
fn multiply_row(a: vec4<f32>, b: mat4x4<f32>) -> vec4<f32> {
    return fma(vec4(a.w), b[3], fma(vec4(a.z), b[2], fma(vec4(a.y), b[1], vec4(a.x) * b[0])));
}

// a b for 4 x 4 blocks, each row a vec4: a[i] is row i of A along k, b[k] row k of B along n.
fn multiply(a: mat4x4<f32>, b: mat4x4<f32>) -> mat4x4<f32> {
    return mat4x4<f32>(multiply_row(a[0], b), multiply_row(a[1], b), multiply_row(a[2], b), multiply_row(a[3], b));
}
