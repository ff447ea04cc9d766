// A of the input's gradient: row m = input channel, column k = (output channel, kh, kw).
@group(0) @binding(0) var<storage, read> weight: array<f32>;

fn weight_at(z: u32, m: u32, k: u32) -> f32 {
    if (K % 4u != 0u && k >= K) {
        return 0.0;
    }
    let channel = z * OUT + k / (KH * KW);
    return weight[(channel * IN + min(m, IN - 1u)) * (KH * KW) + k % (KH * KW)];
}

fn weight_row(z: u32, m: u32, k: u32) -> vec4<f32> {
    return vec4(weight_at(z, m, k), weight_at(z, m, k + 1u), weight_at(z, m, k + 2u), weight_at(z, m, k + 3u));
}

fn lhs_block(z: u32, m: u32, k: u32) -> mat4x4<f32> {
    return mat4x4<f32>(weight_row(z, m, k), weight_row(z, m + 1u, k), weight_row(z, m + 2u, k), weight_row(z, m + 3u, k));
}
