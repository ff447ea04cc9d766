//! uses gemm_lhs_elements, conv2d_shape
//! fills lhs, lhs_element
//
// A of the input's gradient: row m = input channel, column k = (output channel, kh, kw).
@group(0) @binding(0) var<storage, read> weight: array<f32>;

fn lhs_start(z: u32, m: u32) -> u32 {
    return (z * (OUT * IN) + min(m, IN - 1u)) * (KH * KW);
}

fn lhs_element(start: u32, k: u32) -> f32 {
    return weight[start + k / (KH * KW) * (IN * KH * KW) + k % (KH * KW)];
}
