//! uses adam_means
//! fills rule
//
// NAdam, as PyTorch has it, in step t = updates + 1, with the means m and v of adam_means and the momenta
// of nadam_momenta:
//   p -= rate * (momenta[0] * g + momenta[1] * m) / (sqrt(v / (1 - beta2^t)) + EPS)
@group(0) @binding(4) var<storage, read> momenta: array<f32>;

struct Scales {
    decay: f32,
    of_gradient: f32,
    of_mean: f32,
    spread: f32,
}

fn scales(updates: u32) -> Scales {
    return Scales(decay(), rate[0] * momenta[0], rate[0] * momenta[1], spread(f32(updates) + 1.0));
}

fn update(scales: Scales, parameter: vec4<f32>, gradient: vec4<f32>, state: State) -> Updated {
    let next = means(parameter, gradient, state, scales.decay);
    let taken = scales.of_gradient * next.g + scales.of_mean * next.m;
    return Updated(next.p - taken / (sqrt(next.v) * scales.spread + EPS), State(next.m, next.v, state.c));
}
