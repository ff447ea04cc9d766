//! uses gemm_lhs_elements, conv2d_shape
//! fills lhs, lhs_element
//
// A of the weight's gradient: row m = output channel, column k = (image, oh, ow).
@group(0) @binding(0) var<storage, read> gradient: array<f32>;

fn lhs_start(z: u32, m: u32) -> u32 {
    return (z * OUT + min(m, OUT - 1u)) * (OH * OW);
}

fn lhs_element(start: u32, k: u32) -> f32 {
    return gradient[start + k / (OH * OW) * (GROUPS * OUT * OH * OW) + k % (OH * OW)];
}
