// result = (source - running_mean) * weight / sqrt(running_var + EPSILON) + bias
//
// Source and result (N, C, PLANE), the rest (C). A workgroup makes one part of LANES_C channels.
@group(0) @binding(0) var<storage, read> source: array<Pack>;
@group(0) @binding(1) var<storage, read> weight: array<f32>;
@group(0) @binding(2) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read> running_mean: array<f32>;
@group(0) @binding(4) var<storage, read> running_var: array<f32>;
@group(0) @binding(5) var<storage, read_write> result: array<Pack>;

const EPSILON: f32 = 1e-5; // shape

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let share = share_of(group_number(group, groups), lane);
    let c = share.channel;
    if (c >= CHANNELS) {
        return;
    }
    let mean = running_mean[c];
    let scale = weight[c] * inverseSqrt(running_var[c] + EPSILON);
    let offset = bias[c];
    for (var i = share.first; i < share.end; i += ROWS) {
        let at = pack_at(c, i);
        result[at] = (source[at] - Pack(mean)) * scale + Pack(offset);
    }
}
