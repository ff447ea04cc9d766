//! uses gemm_shape, gemm_rhs_rows
//! fills rhs, rhs_row
//
// B as it lies in memory, (K x N) with N divisible by 4: one vec4 load a k.
@group(0) @binding(1) var<storage, read> rhs: array<vec4<f32>>;

alias RhsStart = u32;

fn rhs_start(z: u32, n: u32) -> RhsStart {
    return z * (K * N / 4u) + min(n / 4u, N / 4u - 1u);
}

fn rhs_row(start: RhsStart, k: u32) -> vec4<f32> {
    return rhs[start + k * (N / 4u)];
}
