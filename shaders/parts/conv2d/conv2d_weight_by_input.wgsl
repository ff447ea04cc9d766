//! uses gemm_shape, conv2d_shape
//! fills lhs, lhs_row
//
// A of the input's gradient: row m = input channel, column k = (output channel, kh, kw).
@group(0) @binding(0) var<storage, read> weight: array<f32>;

fn lhs_start(z: u32, m: u32) -> u32 {
    return (z * (OUT * IN) + min(m, IN - 1u)) * (KH * KW);
}

fn weight_at(start: u32, k: u32) -> f32 {
    if (K % 4u != 0u && k >= K) {
        return 0.0;
    }
    return weight[start + k / (KH * KW) * (IN * KH * KW) + k % (KH * KW)];
}

fn lhs_row(start: u32, k: u32) -> vec4<f32> {
    return vec4(weight_at(start, k), weight_at(start, k + 1u), weight_at(start, k + 2u), weight_at(start, k + 3u));
}

fn lhs_block(starts: vec4<u32>, k: u32) -> mat4x4<f32> {
    return mat4x4<f32>(lhs_row(starts.x, k), lhs_row(starts.y, k), lhs_row(starts.z, k), lhs_row(starts.w, k));
}
