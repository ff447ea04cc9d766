//! uses gemm_shape, gemm_rhs_rows, conv2d_shape, conv2d_gather
//! fills rhs, rhs_row
//
// B of the forward pass: row k = (channel, kh, kw), column n = (image, oh, ow), gathered from the
// input without being written out. What lies in the padding is zero.

// Of each column: where its window starts, in the input and in the plane. Numbers below zero wrap.
struct RhsStart {
    at: vec4<u32>,
    h: vec4<u32>,
    w: vec4<u32>,
}

fn rhs_start(z: u32, n: u32) -> RhsStart {
    let i = columns_from(n);
    let h = i / OW % OH * SH - u32(PH);
    let w = i % OW * SW - u32(PW);
    return RhsStart((i / (OH * OW) * GROUPS + z) * (IN * H * W) + h * W + w, h, w);
}

fn rhs_row(start: RhsStart, k: u32) -> vec4<f32> {
    let tap = tap_of(k);
    let h = tap.h * DH;
    let w = tap.w * DW;
    let inside = (start.h + h < vec4(H)) & (start.w + w < vec4(W));
    return gathered(start.at + (tap.channel * (H * W) + h * W + w), inside);
}
