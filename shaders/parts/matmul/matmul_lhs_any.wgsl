//! uses gemm_shape, gemm_lhs_elements
//! fills lhs, lhs_element
//
// A of any size and orientation: element (m, k) lies at m LHS_ROW + k LHS_COLUMN.
@group(0) @binding(0) var<storage, read> lhs: array<f32>;

const LHS_ROW: u32 = 64u; // shape
const LHS_COLUMN: u32 = 1u; // shape

fn lhs_start(z: u32, m: u32) -> u32 {
    return z * (M * K) + min(m, M - 1u) * LHS_ROW;
}

fn lhs_element(start: u32, k: u32) -> f32 {
    return lhs[start + k * LHS_COLUMN];
}
