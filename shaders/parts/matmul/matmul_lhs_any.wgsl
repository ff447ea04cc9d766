//! uses gemm_shape
//! fills lhs, lhs_row
//
// A of any size and orientation: element (m, k) lies at m LHS_ROW + k LHS_COLUMN.
@group(0) @binding(0) var<storage, read> lhs: array<f32>;

const LHS_ROW: u32 = 64u; // shape
const LHS_COLUMN: u32 = 1u; // shape

fn lhs_start(z: u32, m: u32) -> u32 {
    return z * (M * K) + min(m, M - 1u) * LHS_ROW;
}

fn lhs_at(start: u32, k: u32) -> f32 {
    if (K % 4u != 0u && k >= K) {
        return 0.0;
    }
    return lhs[start + k * LHS_COLUMN];
}

fn lhs_row(start: u32, k: u32) -> vec4<f32> {
    return vec4(lhs_at(start, k), lhs_at(start, k + 1u), lhs_at(start, k + 2u), lhs_at(start, k + 3u));
}

fn lhs_block(starts: vec4<u32>, k: u32) -> mat4x4<f32> {
    return mat4x4<f32>(lhs_row(starts.x, k), lhs_row(starts.y, k), lhs_row(starts.z, k), lhs_row(starts.w, k));
}
