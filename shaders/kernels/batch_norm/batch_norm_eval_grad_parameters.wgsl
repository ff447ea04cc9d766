//! uses group
//
// grad_weight = sum of gradient * (source - running_mean) / sqrt(running_var + EPSILON)
// grad_bias   = sum of gradient
//
// One invocation makes one channel: it adds the partials that batch_norm_eval_grad made, in order.
@group(0) @binding(0) var<storage, read> running_var: array<f32>;
@group(0) @binding(1) var<storage, read> partial: array<vec2<f32>>;
@group(0) @binding(2) var<storage, read_write> grad_weight: array<f32>;
@group(0) @binding(3) var<storage, read_write> grad_bias: array<f32>;

const EPSILON: f32 = 1e-5; // shape
const CHANNELS: u32 = 2u; // shape
const PARTS: u32 = 1u; // shape

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let c = group_number(group, groups) * 64u + lane;
    if (c >= CHANNELS) {
        return;
    }
    var sums = vec2(0.0);
    for (var part = 0u; part < PARTS; part++) {
        sums += partial[c * PARTS + part];
    }
    grad_weight[c] = sums.y * inverseSqrt(running_var[c] + EPSILON);
    grad_bias[c] = sums.x;
}
