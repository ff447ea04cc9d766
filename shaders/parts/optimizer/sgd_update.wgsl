//! uses update_rate
//! fills rule
//
// Stochastic gradient descent, as PyTorch has it:
//   d = g + WEIGHT_DECAY * p
//   b = MOMENTUM * b + (1 - dampening) * d,  in the first step b = d
//   p -= rate * (NESTEROV ? d + MOMENTUM * b : b)
// Without momentum b is d and is not kept.
const MOMENTUM: f32 = 0.9; // shape
const SHARE: f32 = 1.0; // shape
const WEIGHT_DECAY: f32 = 0.0; // shape
const NESTEROV: bool = false; // shape

struct Scales {
    rate: f32,
    share: f32,
}

fn scales(updates: u32) -> Scales {
    // SHARE is 1 - dampening. Dampening leaves out the first step, whose momenta are zero.
    return Scales(rate[0], select(SHARE, 1.0, updates == 0u));
}

fn update(scales: Scales, p: vec4<f32>, g: vec4<f32>, state: State) -> Updated {
    let d = g + decay_of(p, WEIGHT_DECAY);
    let b = MOMENTUM * state.a + scales.share * d;
    let taken = select(b, d + MOMENTUM * b, NESTEROV);
    return Updated(p - scales.rate * taken, State(b, state.b, state.c));
}
