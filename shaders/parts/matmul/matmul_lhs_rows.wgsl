//! uses gemm_shape, gemm_lhs_rows
//! fills lhs, lhs_row
//
// A as it lies in memory, (M x K) with K divisible by 4: one vec4 load a row.
@group(0) @binding(0) var<storage, read> lhs: array<vec4<f32>>;

fn lhs_start(z: u32, m: u32) -> u32 {
    return (z * M + min(m, M - 1u)) * (K / 4u);
}

fn lhs_row(start: u32, k: u32) -> vec4<f32> {
    return lhs[start + k / 4u];
}
