//! uses update_rate, one_less_exp, is_nan
//! fills rule
//
// Adam and AdamW, as PyTorch has them, in step t = updates + 1:
//   g += WEIGHT_DECAY * p            (Adam)      p -= rate * WEIGHT_DECAY * p   (AdamW: DECOUPLED)
//   m = beta1 * m + (1 - beta1) * g
//   v = beta2 * v + (1 - beta2) * g^2
//   w = AMSGRAD ? max(w, v) : v
//   p -= rate / (1 - beta1^t) * m / (sqrt(w) / sqrt(1 - beta2^t) + EPS)
// with m, v and w as state a, b and c.
//
// What is near one comes as its distance from one, or as its logarithm: f32 holds 1 - 0.999 to
// five digits only.
const BETA2: f32 = 0.999; // shape
const ONE_LESS_BETA1: f32 = 0.1; // shape
const ONE_LESS_BETA2: f32 = 0.001; // shape
const LOG_BETA1: f32 = -0.105360516; // shape
const LOG_BETA2: f32 = -0.00100050033; // shape
const EPS: f32 = 1e-8; // shape
const WEIGHT_DECAY: f32 = 0.0; // shape
const DECOUPLED: bool = false; // shape
const AMSGRAD: bool = false; // shape

struct Scales {
    decay: f32,
    step_size: f32,
    spread: f32,
}

fn scales(updates: u32) -> Scales {
    let t = f32(updates) + 1.0;
    let decay = WEIGHT_DECAY * select(1.0, rate[0], DECOUPLED);
    return Scales(decay, rate[0] / one_less_exp(t * LOG_BETA1), 1.0 / sqrt(one_less_exp(t * LOG_BETA2)));
}

fn update(scales: Scales, parameter: vec4<f32>, gradient: vec4<f32>, state: State) -> Updated {
    var p = parameter;
    var g = gradient;
    if (DECOUPLED) {
        p -= decay_of(p, scales.decay);
    } else {
        g += decay_of(p, scales.decay);
    }
    let m = state.a + ONE_LESS_BETA1 * (g - state.a);
    let v = BETA2 * state.b + ONE_LESS_BETA2 * (g * g);
    var w = v;
    var largest = state.c;
    if (AMSGRAD) {
        w = select(max(largest, v), largest + v, are_nan(largest) | are_nan(v));
        largest = w;
    }
    return Updated(p - scales.step_size * m / (sqrt(w) * scales.spread + EPS), State(m, v, largest));
}
