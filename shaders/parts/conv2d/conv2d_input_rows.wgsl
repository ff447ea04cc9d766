//! uses gemm_shape, gemm_rhs_rows, conv2d_shape, conv2d_gather
//! fills rhs, rhs_row
//
// B of the weight's gradient: row k = (image, oh, ow), column n = (channel, kh, kw), gathered from
// the input without being written out. What lies in the padding is zero.

// Of each column: where its tap lies, in the input and in the window.
struct RhsStart {
    at: vec4<u32>,
    h: vec4<u32>,
    w: vec4<u32>,
}

fn rhs_start(z: u32, n: u32) -> RhsStart {
    let i = columns_from(n);
    let h = i / KW % KH * DH;
    let w = i % KW * DW;
    return RhsStart((z * IN + i / (KH * KW)) * (H * W) + h * W + w, h, w);
}

fn rhs_row(start: RhsStart, k: u32) -> vec4<f32> {
    // Where the window starts. Numbers below zero wrap.
    let h = k / OW % OH * SH - u32(PH);
    let w = k % OW * SW - u32(PW);
    let inside = (start.h + h < vec4(H)) & (start.w + w < vec4(W));
    let window = k / (OH * OW) * (GROUPS * IN * H * W) + h * W + w;
    return gathered(start.at + window, inside);
}
