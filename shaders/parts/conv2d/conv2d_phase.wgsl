//! uses conv2d_shape
//
// The gradient of a strided convolution's input, phase by phase: inputs of one residue modulo the
// stride meet the same taps, every STEP-th from a first one, and each phase is a product of its own.
//
// Batch z of the product is phase GROUPS + group, phase = (h mod SH) PHASES_W + w mod SW. Column n =
// (image, row, column) counts the phase's own plane, PHASE_H x PHASE_W; k = (output channel, tap row,
// tap column) its own taps, TAPS_H x TAPS_W at most. The sum of a phase with fewer ends before K. h + PH - kh DH has to be a multiple of SH: with
// COMMON the greatest common divisor of SH and DH, STEP = SH / COMMON and INVERSE that of DH / COMMON
// modulo STEP, the first tap is (h + PH) / COMMON INVERSE mod STEP, if COMMON divides h + PH.
//
// No function of phases returns early: for a register tiling, which has dozens of copies of each, SwiftShader's
// compiler would take minutes and gigabytes.
const PHASES_W: u32 = 2u; // shape
const PHASE_H: u32 = 4u; // shape
const PHASE_W: u32 = 4u; // shape
const TAPS_H: u32 = 1u; // shape
const TAPS_W: u32 = 1u; // shape
const COMMON_H: u32 = 1u; // shape
const COMMON_W: u32 = 1u; // shape
const STEP_H: u32 = 2u; // shape
const STEP_W: u32 = 2u; // shape
const INVERSE_H: u32 = 1u; // shape
const INVERSE_W: u32 = 1u; // shape

struct Phase {
    group: u32,
    h: u32,
    w: u32,
    // First taps; KH or KW where there is none.
    first_kh: u32,
    first_kw: u32,
}

// Taps of a phase in rows and columns of the window: TAPS_H and TAPS_W, or one less.
struct PhaseTaps {
    h: u32,
    w: u32,
}

fn phase_taps(phase: Phase) -> PhaseTaps {
    let none = (phase.first_kh >= KH) | (phase.first_kw >= KW);
    let h = (KH - phase.first_kh + STEP_H - 1u) / STEP_H;
    let w = (KW - phase.first_kw + STEP_W - 1u) / STEP_W;
    return PhaseTaps(select(h, 0u, none), select(w, 0u, none));
}

fn phase_of(z: u32) -> Phase {
    let h = z / (GROUPS * PHASES_W);
    let w = z / GROUPS % PHASES_W;
    let padded_h = h + u32(PH);
    let padded_w = w + u32(PW);
    let first_kh = padded_h / COMMON_H % STEP_H * INVERSE_H % STEP_H;
    let first_kw = padded_w / COMMON_W % STEP_W * INVERSE_W % STEP_W;
    return Phase(z % GROUPS, h, w, select(KH, first_kh, padded_h % COMMON_H == 0u), select(KW, first_kw, padded_w % COMMON_W == 0u));
}

// x / taps.w, by constants.
fn by_columns(taps: PhaseTaps, x: u32) -> u32 {
    return select(x / max(TAPS_W - 1u, 1u), x / TAPS_W, taps.w == TAPS_W);
}

// Output channel, and steps from the phase's first tap in rows and columns of the window.
fn phase_tap(taps: PhaseTaps, k: u32) -> Tap {
    const LESS_H = max(TAPS_H - 1u, 1u);
    let channel = by_columns(taps, select(k / LESS_H, k / TAPS_H, taps.h == TAPS_H));
    let tap = k - channel * (taps.h * taps.w);
    let row = by_columns(taps, tap);
    return Tap(channel, row * STEP_H, (tap - row * taps.w) * STEP_W);
}
