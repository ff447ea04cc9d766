//! uses gemm_shape, conv2d_shape
//! fills rhs
//
// B of the input's gradient: row k = (output channel, kh, kw), column n = (image, h, w), gathered
// from the output's gradient. Zero where the tap at (kh, kw) of no window covers (h, w).
@group(0) @binding(1) var<storage, read> gradient: array<f32>;

// Of each column: the first element of its image and group, and its pixel in the padded input, also
// as a place in the gradient where the stride is 1.
struct RhsStart {
    image: vec4<u32>,
    at: vec4<u32>,
    h: vec4<u32>,
    w: vec4<u32>,
}

fn rhs_start(z: u32, n: u32) -> RhsStart {
    let i = min(vec4(n, n + 1u, n + 2u, n + 3u), vec4(N - 1u));
    let image = (i / (H * W) * GROUPS + z) * (OUT * OH * OW);
    let h = i / W % H + u32(PH);
    let w = i % W + u32(PW);
    return RhsStart(image, image + h * OW + w, h, w);
}

fn rhs_row(start: RhsStart, k: u32) -> vec4<f32> {
    if (K % 4u != 0u && k >= K) {
        return vec4<f32>();
    }
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
    // What is outside reads the first element, and is taken away.
    at = select(vec4<u32>(), at + tap.channel * (OH * OW), inside);
    return select(vec4<f32>(), vec4(gradient[at.x], gradient[at.y], gradient[at.z], gradient[at.w]), inside);
}

fn rhs_block(start: RhsStart, k: u32) -> mat4x4<f32> {
    return mat4x4<f32>(rhs_row(start, k), rhs_row(start, k + 1u), rhs_row(start, k + 2u), rhs_row(start, k + 3u));
}
