// Stochastic gradient descent with momentum, as PyTorch has it, the gradient g clipped:
//   d = g + WEIGHT_DECAY * p
//   b = MOMENTUM * b + (1 - dampening) * d,  in the first step b = d
//   p -= rate * (NESTEROV ? d + MOMENTUM * b : b)
//
// Parameters, gradients and momenta each lie in a run of an arena, tensor after tensor, padded with
// zeros to 64 elements, which stay zero. One workgroup makes 64 * ITEMS neighbouring vectors of
// four, an invocation every 64th of them.
@group(0) @binding(0) var<storage, read_write> parameters: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> gradients: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> momenta: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> rate: array<f32>;
@group(0) @binding(4) var<storage, read> step: array<u32>;

const VECTORS: u32 = 16u; // shape
const MOMENTUM: f32 = 0.9; // shape
const SHARE: f32 = 1.0; // shape
const WEIGHT_DECAY: f32 = 0.0; // shape
const NESTEROV: bool = false; // shape
const ITEMS: u32 = 4u; // tunable

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let start = group_number(group, groups) * (64u * ITEMS) + lane;
    let step_size = rate[0];
    // SHARE is 1 - dampening. Dampening leaves out the first step, whose momenta are zero.
    let share = select(SHARE, 1.0, step[0] == 0u);
    let scale = gradient_scale();
    for (var item = 0u; item < ITEMS; item++) {
        let i = start + item * 64u;
        if (i < VECTORS) {
            let p = parameters[i];
            let d = scale * clip_value(gradients[i]) + WEIGHT_DECAY * p;
            let b = MOMENTUM * momenta[i] + share * d;
            momenta[i] = b;
            if (NESTEROV) {
                parameters[i] = p - step_size * (d + MOMENTUM * b);
            } else {
                parameters[i] = p - step_size * b;
            }
        }
    }
}
