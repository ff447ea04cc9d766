// A stored transposed, (K x M) with M divisible by 4: one vec4 load a k.
@group(0) @binding(0) var<storage, read> lhs: array<vec4<f32>>;

fn lhs_block(z: u32, m: u32, k: u32) -> mat4x4<f32> {
    let at = z * (M * K / 4u) + min(m / 4u, M / 4u - 1u);
    var block = mat4x4<f32>();
    block[0] = lhs[at + k * (M / 4u)];
    if (K % 4u == 0u || k + 1u < K) {
        block[1] = lhs[at + (k + 1u) * (M / 4u)];
    }
    if (K % 4u == 0u || k + 2u < K) {
        block[2] = lhs[at + (k + 2u) * (M / 4u)];
    }
    if (K % 4u == 0u || k + 3u < K) {
        block[3] = lhs[at + (k + 3u) * (M / 4u)];
    }
    return transpose(block);
}
