//! uses gemm_shape, gemm_rhs_rows, conv2d_shape
//! fills rhs, rhs_row
//
// B of a pointwise convolution: row k = channel, column n = (image, pixel), for planes divisible by
// 4: one vec4 load a row, and nothing to gather.
@group(0) @binding(1) var<storage, read> source: array<vec4<f32>>;

// The place of four columns in the first channel.
alias RhsStart = u32;

fn rhs_start(z: u32, n: u32) -> RhsStart {
    let i = min(n, N - 4u);
    return (i / (H * W) * GROUPS + z) * (K * H * W / 4u) + i % (H * W) / 4u;
}

fn rhs_row(start: RhsStart, k: u32) -> vec4<f32> {
    return source[start + k * (H * W / 4u)];
}
