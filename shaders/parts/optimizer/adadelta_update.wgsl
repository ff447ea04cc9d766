//! uses update_by_rate
//! fills rule
//
// Adadelta, as PyTorch has it:
//   g += WEIGHT_DECAY * p
//   s = rho * s + (1 - rho) * g^2
//   d = sqrt(u + EPS) / sqrt(s + EPS) * g
//   u = rho * u + (1 - rho) * d^2
//   p -= rate * d
// with s and u as state a and b.
const RHO: f32 = 0.9; // shape
const ONE_LESS_RHO: f32 = 0.1; // shape
const EPS: f32 = 1e-6; // shape
const WEIGHT_DECAY: f32 = 0.0; // shape

fn update(scales: Scales, p: vec4<f32>, gradient: vec4<f32>, state: State) -> Updated {
    let g = gradient + decay_of(p, WEIGHT_DECAY);
    let s = RHO * state.a + ONE_LESS_RHO * (g * g);
    let d = sqrt(state.b + EPS) / sqrt(s + EPS) * g;
    let u = RHO * state.b + ONE_LESS_RHO * (d * d);
    return Updated(p - scales.rate * d, State(s, u, state.c));
}
