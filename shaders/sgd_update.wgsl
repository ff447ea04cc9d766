// Stochastic gradient descent without momentum: p -= rate * (g + WEIGHT_DECAY * p), the gradient g
// clipped.
//
// Parameters and gradients each lie in a run of an arena, tensor after tensor, padded with zeros
// to 64 elements, which stay zero. One workgroup makes 64 * ITEMS neighbouring vectors of four, an
// invocation every 64th of them.
@group(0) @binding(0) var<storage, read_write> parameters: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> gradients: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> rate: array<f32>;

const VECTORS: u32 = 16u; // shape
const WEIGHT_DECAY: f32 = 0.0; // shape
const ITEMS: u32 = 4u; // tunable

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let start = group_number(group, groups) * (64u * ITEMS) + lane;
    let step_size = rate[0];
    let scale = gradient_scale();
    for (var item = 0u; item < ITEMS; item++) {
        let i = start + item * 64u;
        if (i < VECTORS) {
            let p = parameters[i];
            let g = scale * clip_value(gradients[i]);
            parameters[i] = p - step_size * (g + WEIGHT_DECAY * p);
        }
    }
}
