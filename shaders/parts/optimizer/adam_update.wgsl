//! uses adam_means, is_nan
//! fills rule
//
// Adam and AdamW, as PyTorch has them, in step t = updates + 1, with the means m and v of adam_means:
//   w = AMSGRAD ? max(w, v) : v
//   p -= rate / (1 - beta1^t) * m / (sqrt(w) / sqrt(1 - beta2^t) + EPS)
// with w as state c. AdamW is DECOUPLED.
const LOG_BETA1: f32 = -0.105360516; // shape
const AMSGRAD: bool = false; // shape

struct Scales {
    decay: f32,
    step_size: f32,
    spread: f32,
}

fn scales(updates: u32) -> Scales {
    let t = f32(updates) + 1.0;
    return Scales(decay(), rate[0] / one_less_exp(t * LOG_BETA1), spread(t));
}

fn update(scales: Scales, parameter: vec4<f32>, gradient: vec4<f32>, state: State) -> Updated {
    let next = means(parameter, gradient, state, scales.decay);
    var w = next.v;
    var largest = state.c;
    if (AMSGRAD) {
        w = select(max(largest, next.v), largest + next.v, are_nan(largest) | are_nan(next.v));
        largest = w;
    }
    let p = next.p - scales.step_size * next.m / (sqrt(w) * scales.spread + EPS);
    return Updated(p, State(next.m, next.v, largest));
}
