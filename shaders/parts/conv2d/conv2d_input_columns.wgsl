//! uses gemm_shape, conv2d_shape
//! fills rhs
//
// B of the forward pass: row k = (channel, kh, kw), column n = (image, oh, ow), gathered from the
// input without being written out. What lies in the padding is zero.
@group(0) @binding(1) var<storage, read> input: array<f32>;

// Of each column: where its window starts, in the input and in the plane. Numbers below zero wrap.
struct RhsStart {
    at: vec4<u32>,
    h: vec4<u32>,
    w: vec4<u32>,
}

fn rhs_start(z: u32, n: u32) -> RhsStart {
    let i = min(vec4(n, n + 1u, n + 2u, n + 3u), vec4(N - 1u));
    let h = i / OW % OH * SH - u32(PH);
    let w = i % OW * SW - u32(PW);
    return RhsStart((i / (OH * OW) * GROUPS + z) * (IN * H * W) + h * W + w, h, w);
}

fn rhs_row(start: RhsStart, k: u32) -> vec4<f32> {
    if (K % 4u != 0u && k >= K) {
        return vec4<f32>();
    }
    let tap = tap_of(k);
    let h = tap.h * DH;
    let w = tap.w * DW;
    let inside = (start.h + h < vec4(H)) & (start.w + w < vec4(W));
    // What is outside reads the first element, and is taken away.
    let at = select(vec4<u32>(), start.at + (tap.channel * (H * W) + h * W + w), inside);
    return select(vec4<f32>(), vec4(input[at.x], input[at.y], input[at.z], input[at.w]), inside);
}

fn rhs_block(start: RhsStart, k: u32) -> mat4x4<f32> {
    return mat4x4<f32>(rhs_row(start, k), rhs_row(start, k + 1u), rhs_row(start, k + 2u), rhs_row(start, k + 3u));
}
