//! uses gemm_shape, conv2d_shape
//! fills lhs, lhs_row
//
// A of the weight's gradient: row m = output channel, column k = (image, oh, ow).
@group(0) @binding(0) var<storage, read> gradient: array<f32>;

fn lhs_start(z: u32, m: u32) -> u32 {
    return (z * OUT + min(m, OUT - 1u)) * (OH * OW);
}

fn gradient_at(start: u32, k: u32) -> f32 {
    if (K % 4u != 0u && k >= K) {
        return 0.0;
    }
    return gradient[start + k / (OH * OW) * (GROUPS * OUT * OH * OW) + k % (OH * OW)];
}

fn lhs_row(start: u32, k: u32) -> vec4<f32> {
    return vec4(gradient_at(start, k), gradient_at(start, k + 1u), gradient_at(start, k + 2u), gradient_at(start, k + 3u));
}

fn lhs_block(starts: vec4<u32>, k: u32) -> mat4x4<f32> {
    return mat4x4<f32>(lhs_row(starts.x, k), lhs_row(starts.y, k), lhs_row(starts.z, k), lhs_row(starts.w, k));
}
