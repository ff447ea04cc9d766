// B of the weight's gradient: row k = (image, oh, ow), column n = (channel, kh, kw), gathered from
// the input without being written out. What lies in the padding is zero.
@group(0) @binding(1) var<storage, read> input: array<f32>;

// Of each column: the first element of its group and channel, and the tap's place in the window.
struct RhsStart {
    channel: vec4<u32>,
    h: vec4<u32>,
    w: vec4<u32>,
}

fn rhs_start(z: u32, n: u32) -> RhsStart {
    let i = min(vec4(n, n + 1u, n + 2u, n + 3u), vec4(N - 1u));
    return RhsStart((z * IN + i / (KH * KW)) * (H * W), i / KW % KH * DH, i % KW * DW);
}

fn rhs_row(start: RhsStart, k: u32) -> vec4<f32> {
    if (K % 4u != 0u && k >= K) {
        return vec4<f32>();
    }
    // Below zero is past the end, as an unsigned number.
    let h = start.h + (k / OW % OH * SH - u32(PH));
    let w = start.w + (k % OW * SW - u32(PW));
    let inside = (h < vec4(H)) & (w < vec4(W));
    // What is outside reads the first element, and is taken away.
    let image = k / (OH * OW) * (GROUPS * IN * H * W);
    let at = select(vec4<u32>(), start.channel + image + h * W + w, inside);
    return select(vec4<f32>(), vec4(input[at.x], input[at.y], input[at.z], input[at.w]), inside);
}

fn rhs_block(start: RhsStart, k: u32) -> mat4x4<f32> {
    return mat4x4<f32>(rhs_row(start, k), rhs_row(start, k + 1u), rhs_row(start, k + 2u), rhs_row(start, k + 3u));
}
