//! uses team, one_less_exp
//
// What NAdam's step t = updates + 1 takes of gradient and mean (nadam_update):
//   momenta[0] = (1 - mu(t)) / (1 - mu(1) mu(2) ... mu(t))
//   momenta[1] = mu(t + 1) / (1 - mu(1) mu(2) ... mu(t + 1))
// where mu(i) = beta1 * (1 - 0.96^(i * momentum_decay) / 2), as in PyTorch.
//
// One workgroup. The product is made anew in each step, so it follows from the step's number alone: its
// logarithm is t * LOG_BETA1 and the logarithms of what is left of each factor, of which those past TERMS
// change nothing. Each invocation adds every 64th, and those sums are added as a fixed tree.
@group(0) @binding(0) var<storage, read> step: array<u32>;
@group(0) @binding(1) var<storage, read_write> momenta: array<f32>;

const EVERY: u32 = 1u; // shape
const TERMS: u32 = 44u; // shape
const BETA1: f32 = 0.9; // shape
const ONE_LESS_BETA1: f32 = 0.1; // shape
const LOG_BETA1: f32 = -0.105360516; // shape
// momentum_decay * ln(0.96)
const DECAY: f32 = -0.00016328798; // shape

// 0.96^(i * momentum_decay) / 2
fn held_back(i: f32) -> f32 {
    return 0.5 * exp(max(i * DECAY, -80.0));
}

@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) lane: u32) {
    let t = f32(step[0] / EVERY) + 1.0;
    var sum = 0.0;
    for (var i = lane + 1u; i <= TERMS && f32(i) <= t; i += 64u) {
        sum += log(1.0 - held_back(f32(i)));
    }
    let product = t * LOG_BETA1 + team_sum(sum, lane);
    if (lane == 0u) {
        let next = 1.0 - held_back(t + 1.0);
        // Past TERMS the product is nothing, or this factor is one.
        let next_product = product + LOG_BETA1 + log(next);
        momenta[0] = (ONE_LESS_BETA1 + BETA1 * held_back(t)) / one_less_exp(product);
        momenta[1] = BETA1 * next / one_less_exp(next_product);
    }
}
