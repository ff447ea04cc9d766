//! uses update_by_rate, is_nan
//! fills rule
//
// RMSprop, as PyTorch has it:
//   g += WEIGHT_DECAY * p
//   s = alpha * s + (1 - alpha) * g^2
//   m = alpha * m + (1 - alpha) * g               (CENTERED)
//   b = MOMENTUM * b + g / (sqrt(CENTERED ? s - m^2 : s) + EPS)
//   p -= rate * b
// with s, m and b as state a, b and c. Without momentum b is not kept.
//
// By rounding, m^2 may come out above s; nothing is left then.
const ALPHA: f32 = 0.99; // shape
const ONE_LESS_ALPHA: f32 = 0.01; // shape
const EPS: f32 = 1e-8; // shape
const WEIGHT_DECAY: f32 = 0.0; // shape
const MOMENTUM: f32 = 0.0; // shape
const CENTERED: bool = false; // shape

fn update(scales: Scales, p: vec4<f32>, gradient: vec4<f32>, state: State) -> Updated {
    let g = gradient + decay_of(p, WEIGHT_DECAY);
    let s = ALPHA * state.a + ONE_LESS_ALPHA * (g * g);
    let m = select(state.b, state.b + ONE_LESS_ALPHA * (g - state.b), CENTERED);
    let apart = s - m * m;
    let spread = select(s, select(max(apart, vec4(0.0)), apart, are_nan(apart)), CENTERED);
    let b = MOMENTUM * state.c + g / (sqrt(spread) + EPS);
    return Updated(p - scales.rate * b, State(s, m, b));
}
