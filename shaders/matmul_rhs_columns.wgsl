// B stored transposed, (N x K) with K divisible by 4: one vec4 load a column.
@group(0) @binding(1) var<storage, read> rhs: array<vec4<f32>>;

fn rhs_block(z: u32, k: u32, n: u32) -> mat4x4<f32> {
    let at = z * (K * N / 4u) + k / 4u;
    return transpose(mat4x4<f32>(
        rhs[at + min(n, N - 1u) * (K / 4u)],
        rhs[at + min(n + 1u, N - 1u) * (K / 4u)],
        rhs[at + min(n + 2u, N - 1u) * (K / 4u)],
        rhs[at + min(n + 3u, N - 1u) * (K / 4u)],
    ));
}
