// Adam and AdamW, as PyTorch has them, in step t = step + 1, the gradient g clipped:
//   g += WEIGHT_DECAY * p            (Adam)      p -= rate * WEIGHT_DECAY * p   (AdamW: DECOUPLED)
//   m = beta1 * m + (1 - beta1) * g
//   v = beta2 * v + (1 - beta2) * g^2
//   p -= rate / (1 - beta1^t) * m / (sqrt(v) / sqrt(1 - beta2^t) + EPS)
//
// Parameters, gradients, m and v each lie in a run of an arena, tensor after tensor, padded with
// zeros to 64 elements, which stay zero. One workgroup makes 64 * ITEMS neighbouring vectors of
// four, an invocation every 64th of them.
@group(0) @binding(0) var<storage, read_write> parameters: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> gradients: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> means: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> squares: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> rate: array<f32>;
@group(0) @binding(5) var<storage, read> step: array<u32>;

const VECTORS: u32 = 16u; // shape
// What is near one comes as its distance from one, or as its logarithm: f32 holds 1 - 0.999 to
// five digits only.
const BETA2: f32 = 0.999; // shape
const ONE_LESS_BETA1: f32 = 0.1; // shape
const ONE_LESS_BETA2: f32 = 0.001; // shape
const LOG_BETA1: f32 = -0.105360516; // shape
const LOG_BETA2: f32 = -0.00100050033; // shape
const EPS: f32 = 1e-8; // shape
const WEIGHT_DECAY: f32 = 0.0; // shape
const DECOUPLED: bool = false; // shape
const ITEMS: u32 = 4u; // tunable

// 1 - exp(u) for u <= 0; near zero, where the subtraction would cancel, by its power series.
fn one_less_exp(u: f32) -> f32 {
    if (u < -1.0) {
        return 1.0 - exp(max(u, -80.0));
    }
    var sum = 1.0;
    for (var k = 11.0; k > 1.5; k -= 1.0) {
        sum = 1.0 + u / k * sum;
    }
    return -u * sum;
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let start = group_number(group, groups) * (64u * ITEMS) + lane;
    let t = f32(step[0]) + 1.0;
    let decay = WEIGHT_DECAY * select(1.0, rate[0], DECOUPLED);
    let step_size = rate[0] / one_less_exp(t * LOG_BETA1);
    let spread = 1.0 / sqrt(one_less_exp(t * LOG_BETA2));
    let scale = gradient_scale();
    for (var item = 0u; item < ITEMS; item++) {
        let i = start + item * 64u;
        if (i < VECTORS) {
            var p = parameters[i];
            var g = scale * clip_value(gradients[i]);
            if (DECOUPLED) {
                p -= decay * p;
            } else {
                g += decay * p;
            }
            let m = means[i] + ONE_LESS_BETA1 * (g - means[i]);
            let v = BETA2 * squares[i] + ONE_LESS_BETA2 * (g * g);
            means[i] = m;
            squares[i] = v;
            parameters[i] = p - step_size * m / (sqrt(v) * spread + EPS);
        }
    }
}
