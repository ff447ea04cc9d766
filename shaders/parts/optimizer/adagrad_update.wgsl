//! uses update_rate
//! fills rule
//
// Adagrad, as PyTorch has it:
//   g += WEIGHT_DECAY * p
//   s += g^2
//   p -= rate / (1 + updates * RATE_DECAY) * g / (sqrt(s) + EPS)
// with s as state a.
const RATE_DECAY: f32 = 0.0; // shape
const EPS: f32 = 1e-10; // shape
const WEIGHT_DECAY: f32 = 0.0; // shape

struct Scales {
    step_size: f32,
}

fn scales(updates: u32) -> Scales {
    return Scales(rate[0] / (1.0 + f32(updates) * RATE_DECAY));
}

fn update(scales: Scales, p: vec4<f32>, gradient: vec4<f32>, state: State) -> Updated {
    let g = gradient + decay_of(p, WEIGHT_DECAY);
    let s = state.a + g * g;
    return Updated(p - scales.step_size * g / (sqrt(s) + EPS), State(s, state.b, state.c));
}
