//! uses update_by_rate, is_nan
//! fills rule
//
// Lion (Chen et al., 2023, "Symbolic Discovery of Optimization Algorithms"):
//   p -= rate * WEIGHT_DECAY * p
//   p -= rate * sign(beta1 * m + (1 - beta1) * g)
//   m = beta2 * m + (1 - beta2) * g
// with m as state a.
const ONE_LESS_BETA1: f32 = 0.1; // shape
const ONE_LESS_BETA2: f32 = 0.01; // shape
const WEIGHT_DECAY: f32 = 0.0; // shape

fn update(scales: Scales, p: vec4<f32>, g: vec4<f32>, state: State) -> Updated {
    let difference = g - state.a;
    let mean = state.a + ONE_LESS_BETA1 * difference;
    let direction = select(sign(mean), mean, are_nan(mean));
    let m = state.a + ONE_LESS_BETA2 * difference;
    return Updated(p - scales.rate * (decay_of(p, WEIGHT_DECAY) + direction), State(m, state.b, state.c));
}
