//! uses gemm_shape, gemm_rhs_rows, conv2d_phase, conv2d_gather
//! fills rhs, rhs_row, sum_end
//
// B of the input's gradient in phases: row k = (output channel, tap of the phase), column n = (image,
// row, column) of the phase's plane, gathered from the output's gradient; see conv2d_phase.

// Of each column: the first element of its image and group; SH times the row of the gradient that
// the phase's first tap meets, and likewise the column. Below zero is past the end, as an unsigned
// number; so is everything where the phase has no taps.
struct RhsStart {
    image: vec4<u32>,
    h: vec4<u32>,
    w: vec4<u32>,
    taps: PhaseTaps,
}

fn sum_end(z: u32) -> u32 {
    let taps = phase_taps(phase_of(z));
    return OUT * taps.h * taps.w;
}

fn rhs_start(z: u32, n: u32) -> RhsStart {
    let phase = phase_of(z);
    let i = columns_from(n);
    let h = i / PHASE_W % PHASE_H * SH + (phase.h + u32(PH) - phase.first_kh * DH);
    let w = i % PHASE_W * SW + (phase.w + u32(PW) - phase.first_kw * DW);
    let none = phase.first_kh >= KH || phase.first_kw >= KW;
    let image = (i / (PHASE_H * PHASE_W) * GROUPS + phase.group) * (OUT * OH * OW);
    return RhsStart(image, select(h, vec4(0x7fffffffu), none), w, phase_taps(phase));
}

fn rhs_row(start: RhsStart, k: u32) -> vec4<f32> {
    let tap = phase_tap(start.taps, k);
    let h = start.h - tap.h * DH;
    let w = start.w - tap.w * DW;
    // Past the phase's sum there are zeros.
    let inside = (h / SH < vec4(OH)) & (w / SW < vec4(OW)) & vec4(tap.channel < OUT);
    return gathered(start.image + tap.channel * (OH * OW) + h / SH * OW + w / SW, inside);
}
