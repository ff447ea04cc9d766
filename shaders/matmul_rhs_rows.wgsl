// B as it lies in memory, (K x N) with N divisible by 4: one vec4 load a k.
@group(0) @binding(1) var<storage, read> rhs: array<vec4<f32>>;

fn rhs_block(z: u32, k: u32, n: u32) -> mat4x4<f32> {
    let at = z * (K * N / 4u) + min(n / 4u, N / 4u - 1u);
    var block = mat4x4<f32>();
    block[0] = rhs[at + k * (N / 4u)];
    if (K % 4u == 0u || k + 1u < K) {
        block[1] = rhs[at + (k + 1u) * (N / 4u)];
    }
    if (K % 4u == 0u || k + 2u < K) {
        block[2] = rhs[at + (k + 2u) * (N / 4u)];
    }
    if (K % 4u == 0u || k + 3u < K) {
        block[3] = rhs[at + (k + 3u) * (N / 4u)];
    }
    return block;
}
