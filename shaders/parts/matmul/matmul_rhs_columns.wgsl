//! uses gemm_shape
//! fills rhs
//
// B stored transposed, (N x K) with K divisible by 4: one vec4 load a column.
@group(0) @binding(1) var<storage, read> rhs: array<vec4<f32>>;

// Where each of the four columns starts.
alias RhsStart = vec4<u32>;

fn rhs_start(z: u32, n: u32) -> RhsStart {
    return (z * N + columns_from(n)) * (K / 4u);
}

fn rhs_block(start: RhsStart, k: u32) -> mat4x4<f32> {
    let at = start + k / 4u;
    return transpose(mat4x4<f32>(rhs[at.x], rhs[at.y], rhs[at.z], rhs[at.w]));
}
