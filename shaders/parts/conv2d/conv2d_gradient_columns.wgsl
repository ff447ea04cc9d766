//! uses gemm_shape, gemm_rhs_rows, conv2d_shape, conv2d_gather
//! fills rhs, rhs_row
//
// B of the input's gradient: row k = (output channel, kh, kw), column n = (image, h, w), gathered
// from the output's gradient. Zero where the tap at (kh, kw) of no window covers (h, w).

// Of each column: the first element of its image and group, and its pixel in the padded input, also
// as a place in the gradient where the stride is 1.
struct RhsStart {
    image: vec4<u32>,
    at: vec4<u32>,
    h: vec4<u32>,
    w: vec4<u32>,
}

fn rhs_start(z: u32, n: u32) -> RhsStart {
    let i = columns_from(n);
    let image = (i / (H * W) * GROUPS + z) * (OUT * OH * OW);
    let h = i / W % H + u32(PH);
    let w = i % W + u32(PW);
    return RhsStart(image, image + h * OW + w, h, w);
}

fn rhs_row(start: RhsStart, k: u32) -> vec4<f32> {
    let tap = tap_of(k);
    // Numbers below zero wrap.
    let h = start.h - tap.h * DH;
    let w = start.w - tap.w * DW;
    let met = (h % SH == vec4<u32>()) & (w % SW == vec4<u32>());
    let inside = met & (h / SH < vec4(OH)) & (w / SW < vec4(OW));
    var at = start.image + h / SH * OW + w / SW;
    if (SH == 1u && SW == 1u) {
        at = start.at - (tap.h * DH * OW + tap.w * DW);
    }
    return gathered(at + tap.channel * (OH * OW), inside);
}
