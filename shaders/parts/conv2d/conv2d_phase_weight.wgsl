//! uses gemm_lhs_elements, conv2d_phase
//! fills lhs, lhs_element
//
// A of the input's gradient in phases: row m = input channel, column k = (output channel, tap of the
// phase). See conv2d_phase.
@group(0) @binding(0) var<storage, read> weight: array<f32>;

const NONE: u32 = 0xffffffffu;

// Those of the phase that the last start was of. Starts of all rows are of one phase.
var<private> lhs_taps: PhaseTaps;

// The place of the phase's first tap in a row's first window, or NONE.
fn lhs_start(z: u32, m: u32) -> u32 {
    let phase = phase_of(z);
    lhs_taps = phase_taps(phase);
    let at = ((phase.group * OUT * IN + min(m, IN - 1u)) * KH + phase.first_kh) * KW + phase.first_kw;
    return select(at, NONE, (phase.first_kh >= KH) | (phase.first_kw >= KW));
}

fn lhs_element(start: u32, k: u32) -> f32 {
    let tap = phase_tap(lhs_taps, k);
    // Past the phase's sum there are zeros. What is not there reads the first element, and is taken away.
    let inside = (start != NONE) & (tap.channel < OUT);
    let at = start + (tap.channel * IN * KH + tap.h) * KW + tap.w;
    return select(0.0, weight[select(0u, at, inside)], inside);
}
