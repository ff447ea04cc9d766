//! uses update_rate, one_less_exp
//! fills rule
//
// NAdam, as PyTorch has it, in step t = updates + 1:
//   g += WEIGHT_DECAY * p                         p -= rate * WEIGHT_DECAY * p   (DECOUPLED)
//   m = beta1 * m + (1 - beta1) * g
//   v = beta2 * v + (1 - beta2) * g^2
//   p -= rate * (momenta[0] * g + momenta[1] * m) / (sqrt(v / (1 - beta2^t)) + EPS)
// with m and v as state a and b, and the momenta of nadam_momenta.
@group(0) @binding(4) var<storage, read> momenta: array<f32>;

const BETA2: f32 = 0.999; // shape
const ONE_LESS_BETA1: f32 = 0.1; // shape
const ONE_LESS_BETA2: f32 = 0.001; // shape
const LOG_BETA2: f32 = -0.00100050033; // shape
const EPS: f32 = 1e-8; // shape
const WEIGHT_DECAY: f32 = 0.0; // shape
const DECOUPLED: bool = false; // shape

struct Scales {
    decay: f32,
    of_gradient: f32,
    of_mean: f32,
    spread: f32,
}

fn scales(updates: u32) -> Scales {
    let decay = WEIGHT_DECAY * select(1.0, rate[0], DECOUPLED);
    let spread = 1.0 / sqrt(one_less_exp((f32(updates) + 1.0) * LOG_BETA2));
    return Scales(decay, rate[0] * momenta[0], rate[0] * momenta[1], spread);
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
    let taken = scales.of_gradient * g + scales.of_mean * m;
    return Updated(p - taken / (sqrt(v) * scales.spread + EPS), State(m, v, state.c));
}
