//! uses gemm_shape, gemm_rhs_rows
//! fills rhs, rhs_row
//
// B of any size and orientation: element (k, n) lies at k RHS_ROW + n RHS_COLUMN.
@group(0) @binding(1) var<storage, read> rhs: array<f32>;

const RHS_ROW: u32 = 64u; // shape
const RHS_COLUMN: u32 = 1u; // shape

// Where each of the four columns starts.
alias RhsStart = vec4<u32>;

fn rhs_start(z: u32, n: u32) -> RhsStart {
    return z * (K * N) + columns_from(n) * RHS_COLUMN;
}

fn rhs_row(start: RhsStart, k: u32) -> vec4<f32> {
    let at = start + k * RHS_ROW;
    return vec4(rhs[at.x], rhs[at.y], rhs[at.z], rhs[at.w]);
}
