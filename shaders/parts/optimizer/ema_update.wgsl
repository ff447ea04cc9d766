//! fills rule
//
// Exponential moving averages of parameters:
//   average = decay * average + (1 - decay) * parameter,  in the first step average = parameter
// where warm-up lessens the decay to (1 + updates) / (10 + updates) at most.
//
// The walk's parameters are the averages here, its gradients the parameters.
const ONE_LESS_DECAY: f32 = 0.001; // shape
const WARM_UP: bool = false; // shape

struct Scales {
    share: f32,
}

fn scales(updates: u32) -> Scales {
    if (updates == 0u) {
        return Scales(1.0);
    }
    let least = select(0.0, 9.0 / (10.0 + f32(updates)), WARM_UP);
    return Scales(max(ONE_LESS_DECAY, least));
}

fn update(scales: Scales, average: vec4<f32>, parameter: vec4<f32>, state: State) -> Updated {
    let moved = average + scales.share * (parameter - average);
    return Updated(select(moved, parameter, scales.share == 1.0), state);
}
