//! uses gemm_lhs_elements, conv2d_phase
//! fills lhs, lhs_element
//
// A of the input's gradient in phases: row m = input channel, column k = (output channel, tap of the
// phase). Zero where the phase has fewer taps; see conv2d_phase.
@group(0) @binding(0) var<storage, read> weight: array<f32>;

const NONE: u32 = 0xffffffffu;

// The place of the phase's first tap in a row's first window, or NONE.
fn lhs_start(z: u32, m: u32) -> u32 {
    let phase = phase_of(z);
    if (phase.first_kh >= KH || phase.first_kw >= KW) {
        return NONE;
    }
    return ((phase.group * OUT * IN + min(m, IN - 1u)) * KH + phase.first_kh) * KW + phase.first_kw;
}

fn lhs_element(start: u32, k: u32) -> f32 {
    let tap = phase_tap(k);
    let kh = start / KW % KH + tap.h;
    let kw = start % KW + tap.w;
    if (start == NONE || kh >= KH || kw >= KW) {
        return 0.0;
    }
    return weight[start + (tap.channel * IN * KH + tap.h) * KW + tap.w];
}
