//! uses update_rate, one_less_exp
//
// What Adam and NAdam have in common: how weights decay, and the means of gradients and of their squares.
//   g += WEIGHT_DECAY * p                p -= rate * WEIGHT_DECAY * p   (DECOUPLED)
//   m = beta1 * m + (1 - beta1) * g
//   v = beta2 * v + (1 - beta2) * g^2
// with m and v as state a and b.
//
// What is near one comes as its distance from one, or as its logarithm: f32 holds 1 - 0.999 to
// five digits only.
const BETA2: f32 = 0.999; // shape
const ONE_LESS_BETA1: f32 = 0.1; // shape
const ONE_LESS_BETA2: f32 = 0.001; // shape
const LOG_BETA2: f32 = -0.00100050033; // shape
const EPS: f32 = 1e-8; // shape
const WEIGHT_DECAY: f32 = 0.0; // shape
const DECOUPLED: bool = false; // shape

// Parameter and gradient behind the decay, and both means.
struct Means {
    p: vec4<f32>,
    g: vec4<f32>,
    m: vec4<f32>,
    v: vec4<f32>,
}

fn decay() -> f32 {
    return WEIGHT_DECAY * select(1.0, rate[0], DECOUPLED);
}

// 1 / sqrt(1 - beta2^t)
fn spread(t: f32) -> f32 {
    return 1.0 / sqrt(one_less_exp(t * LOG_BETA2));
}

fn means(parameter: vec4<f32>, gradient: vec4<f32>, state: State, decay: f32) -> Means {
    var p = parameter;
    var g = gradient;
    if (DECOUPLED) {
        p -= decay_of(p, decay);
    } else {
        g += decay_of(p, decay);
    }
    let m = state.a + ONE_LESS_BETA1 * (g - state.a);
    let v = BETA2 * state.b + ONE_LESS_BETA2 * (g * g);
    return Means(p, g, m, v);
}
