// A as it lies in memory, (M x K) with K divisible by 4: one vec4 load a row.
@group(0) @binding(0) var<storage, read> lhs: array<vec4<f32>>;

fn lhs_block(z: u32, m: u32, k: u32) -> mat4x4<f32> {
    let at = z * (M * K / 4u) + k / 4u;
    return mat4x4<f32>(
        lhs[at + min(m, M - 1u) * (K / 4u)],
        lhs[at + min(m + 1u, M - 1u) * (K / 4u)],
        lhs[at + min(m + 2u, M - 1u) * (K / 4u)],
        lhs[at + min(m + 3u, M - 1u) * (K / 4u)],
    );
}
