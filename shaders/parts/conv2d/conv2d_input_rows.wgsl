//! uses gemm_shape, conv2d_shape
//! fills rhs
//
// B of the weight's gradient: row k = (image, oh, ow), column n = (channel, kh, kw), gathered from
// the input without being written out. What lies in the padding is zero.
@group(0) @binding(1) var<storage, read> input: array<f32>;

// Of each column: where its tap lies, in the input and in the window.
struct RhsStart {
    at: vec4<u32>,
    h: vec4<u32>,
    w: vec4<u32>,
}

fn rhs_start(z: u32, n: u32) -> RhsStart {
    let i = min(vec4(n, n + 1u, n + 2u, n + 3u), vec4(N - 1u));
    let h = i / KW % KH * DH;
    let w = i % KW * DW;
    return RhsStart((z * IN + i / (KH * KW)) * (H * W) + h * W + w, h, w);
}

fn rhs_row(start: RhsStart, k: u32) -> vec4<f32> {
    if (K % 4u != 0u && k >= K) {
        return vec4<f32>();
    }
    // Where the window starts. Numbers below zero wrap.
    let h = k / OW % OH * SH - u32(PH);
    let w = k % OW * SW - u32(PW);
    let inside = (start.h + h < vec4(H)) & (start.w + w < vec4(W));
    // What is outside reads the first element, and is taken away.
    let window = k / (OH * OW) * (GROUPS * IN * H * W) + h * W + w;
    let at = select(vec4<u32>(), start.at + window, inside);
    return select(vec4<f32>(), vec4(input[at.x], input[at.y], input[at.z], input[at.w]), inside);
}

fn rhs_block(start: RhsStart, k: u32) -> mat4x4<f32> {
    return mat4x4<f32>(rhs_row(start, k), rhs_row(start, k + 1u), rhs_row(start, k + 2u), rhs_row(start, k + 3u));
}
