//! uses gemm_shape
//! fills lhs, lhs_column
//
// A stored transposed, (K x M) with M divisible by 4: one vec4 load a k of a block.
@group(0) @binding(0) var<storage, read> lhs: array<vec4<f32>>;

fn lhs_start(z: u32, m: u32) -> u32 {
    return z * (M * K) + min(m, M - 1u);
}

// A column of four rows from start, a multiple of 4.
fn lhs_column(start: u32, k: u32) -> vec4<f32> {
    if (K % 4u != 0u && k >= K) {
        return vec4<f32>();
    }
    return lhs[start / 4u + k * (M / 4u)];
}

fn lhs_block(starts: vec4<u32>, k: u32) -> mat4x4<f32> {
    return transpose(mat4x4<f32>(
        lhs_column(starts.x, k),
        lhs_column(starts.x, k + 1u),
        lhs_column(starts.x, k + 2u),
        lhs_column(starts.x, k + 3u),
    ));
}
