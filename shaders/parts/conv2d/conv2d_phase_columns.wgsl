//! uses gemm_shape, conv2d_phase
//! fills rhs
//
// B of the input's gradient in phases: row k = (output channel, tap of the phase), column n = (image,
// row, column) of the phase's plane, gathered from the output's gradient; see conv2d_phase.
@group(0) @binding(1) var<storage, read> gradient: array<f32>;

// Of each column: the first element of its image and group; SH times the row of the gradient that
// the phase's first tap meets, and likewise the column. Below zero is past the end, as an unsigned
// number; so is everything where the phase has no taps.
struct RhsStart {
    image: vec4<u32>,
    h: vec4<u32>,
    w: vec4<u32>,
}

fn rhs_start(z: u32, n: u32) -> RhsStart {
    let phase = phase_of(z);
    let i = min(vec4(n, n + 1u, n + 2u, n + 3u), vec4(N - 1u));
    let h = i / PHASE_W % PHASE_H * SH + (phase.h + u32(PH) - phase.first_kh * DH);
    let w = i % PHASE_W * SW + (phase.w + u32(PW) - phase.first_kw * DW);
    let none = phase.first_kh >= KH || phase.first_kw >= KW;
    let image = (i / (PHASE_H * PHASE_W) * GROUPS + phase.group) * (OUT * OH * OW);
    return RhsStart(image, select(h, vec4(0x7fffffffu), none), w);
}

fn rhs_row(start: RhsStart, k: u32) -> vec4<f32> {
    if (K % 4u != 0u && k >= K) {
        return vec4<f32>();
    }
    let tap = phase_tap(k);
    let h = start.h - tap.h * DH;
    let w = start.w - tap.w * DW;
    let inside = (h / SH < vec4(OH)) & (w / SW < vec4(OW));
    // What is outside reads the first element, and is taken away.
    let at = select(vec4<u32>(), start.image + tap.channel * (OH * OW) + h / SH * OW + w / SW, inside);
    return select(vec4<f32>(), vec4(gradient[at.x], gradient[at.y], gradient[at.z], gradient[at.w]), inside);
}

fn rhs_block(start: RhsStart, k: u32) -> mat4x4<f32> {
    return mat4x4<f32>(rhs_row(start, k), rhs_row(start, k + 1u), rhs_row(start, k + 2u), rhs_row(start, k + 3u));
}
