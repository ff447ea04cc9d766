//! uses gemm_shape, gemm_rhs_rows
//! fills rhs, rhs_row
//
// B of the gradient of a linear layer's weight and bias: the input as it lies in memory, (K x N - 1),
// and a column of ones.
@group(0) @binding(1) var<storage, read> rhs: array<f32>;

struct RhsStart {
    at: vec4<u32>,
    ones: vec4<bool>,
}

fn rhs_start(z: u32, n: u32) -> RhsStart {
    let columns = vec4(n, n + 1u, n + 2u, n + 3u);
    return RhsStart(min(columns, vec4(N - 2u)), columns >= vec4(N - 1u));
}

fn rhs_row(start: RhsStart, k: u32) -> vec4<f32> {
    let at = start.at + k * (N - 1u);
    return select(vec4(rhs[at.x], rhs[at.y], rhs[at.z], rhs[at.w]), vec4(1.0), start.ones);
}
