//! fills rule
//
// Means of the gradients of STEPS steps: sum = (first step of them ? 0 : sum) + gradient / STEPS.
//
// The walk's parameters are the sums here. What was left by earlier steps, even no number, is forgotten.
const STEPS: u32 = 1u; // shape
const SHARE: f32 = 1.0; // shape

struct Scales {
    first: bool,
}

fn scales(updates: u32) -> Scales {
    return Scales(updates % STEPS == 0u);
}

fn update(scales: Scales, sum: vec4<f32>, gradient: vec4<f32>, state: State) -> Updated {
    return Updated(select(sum, vec4(0.0), scales.first) + SHARE * gradient, state);
}
