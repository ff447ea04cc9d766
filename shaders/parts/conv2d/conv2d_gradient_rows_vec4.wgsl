//! uses gemm_lhs_rows, conv2d_shape
//! fills lhs, lhs_row
//
// A of the weight's gradient: row m = output channel, column k = (image, oh, ow), for planes of a
// size divisible by 4: one vec4 load a row.
@group(0) @binding(0) var<storage, read> gradient: array<vec4<f32>>;

fn lhs_start(z: u32, m: u32) -> u32 {
    return (z * OUT + min(m, OUT - 1u)) * (OH * OW / 4u);
}

fn lhs_row(start: u32, k: u32) -> vec4<f32> {
    return gradient[start + k / (OH * OW) * (GROUPS * OUT * OH * OW / 4u) + k % (OH * OW) / 4u];
}
