//! uses gemm_shape, conv2d_phase
//! fills lhs, lhs_row
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

fn weight_at(start: u32, k: u32) -> f32 {
    let tap = phase_tap(k);
    let kh = start / KW % KH + tap.h;
    let kw = start % KW + tap.w;
    if (start == NONE || kh >= KH || kw >= KW || (K % 4u != 0u && k >= K)) {
        return 0.0;
    }
    return weight[start + (tap.channel * IN * KH + tap.h) * KW + tap.w];
}

fn lhs_row(start: u32, k: u32) -> vec4<f32> {
    return vec4(weight_at(start, k), weight_at(start, k + 1u), weight_at(start, k + 2u), weight_at(start, k + 3u));
}

fn lhs_block(starts: vec4<u32>, k: u32) -> mat4x4<f32> {
    return mat4x4<f32>(lhs_row(starts.x, k), lhs_row(starts.y, k), lhs_row(starts.z, k), lhs_row(starts.w, k));
}
