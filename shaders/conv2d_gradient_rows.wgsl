// A of the weight's gradient: row m = output channel, column k = (image, oh, ow).
@group(0) @binding(0) var<storage, read> gradient: array<f32>;

fn gradient_at(z: u32, m: u32, k: u32) -> f32 {
    if (K % 4u != 0u && k >= K) {
        return 0.0;
    }
    let channel = (k / (OH * OW) * GROUPS + z) * OUT + min(m, OUT - 1u);
    return gradient[channel * (OH * OW) + k % (OH * OW)];
}

fn gradient_row(z: u32, m: u32, k: u32) -> vec4<f32> {
    return vec4(gradient_at(z, m, k), gradient_at(z, m, k + 1u), gradient_at(z, m, k + 2u), gradient_at(z, m, k + 3u));
}

fn lhs_block(z: u32, m: u32, k: u32) -> mat4x4<f32> {
    return mat4x4<f32>(gradient_row(z, m, k), gradient_row(z, m + 1u, k), gradient_row(z, m + 2u, k), gradient_row(z, m + 3u, k));
}
