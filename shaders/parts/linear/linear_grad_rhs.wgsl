//! uses gemm_shape, gemm_rhs_rows
//! fills rhs, rhs_row
//
// B of the gradient of a linear layer's weight and bias: the input as it lies in memory, (K x N - 1)
// with N - 1 divisible by 4, and a column of ones.
@group(0) @binding(1) var<storage, read> rhs: array<vec4<f32>>;

struct RhsStart {
    at: u32,
    ones: bool,
}

fn rhs_start(z: u32, n: u32) -> RhsStart {
    return RhsStart(min(n / 4u, N / 4u - 1u), n >= N - 1u);
}

fn rhs_row(start: RhsStart, k: u32) -> vec4<f32> {
    return select(rhs[start.at + k * (N / 4u)], vec4(1.0, 0.0, 0.0, 0.0), start.ones);
}
