//! uses group, channel_sums
//! holes Pack of pack
//
// result = gradient * weight / sqrt(running_var + EPSILON)
// partial[c][part] = (sum of gradient, sum of gradient * (source - running_mean)) over one part of channel c
//
// Source, gradient and result (N, C, PLANE), the rest (C). One workgroup makes one part of LANES_C
// channels: each lane adds its packs in order, then the lanes are added as a fixed tree.
@group(0) @binding(0) var<storage, read> source: array<Pack>;
@group(0) @binding(1) var<storage, read> gradient: array<Pack>;
@group(0) @binding(2) var<storage, read> weight: array<f32>;
@group(0) @binding(3) var<storage, read> running_mean: array<f32>;
@group(0) @binding(4) var<storage, read> running_var: array<f32>;
@group(0) @binding(5) var<storage, read_write> result: array<Pack>;
@group(0) @binding(6) var<storage, read_write> partial: array<vec2<f32>>;

const EPSILON: f32 = 1e-5; // shape

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let number = group_number(group, groups);
    if (number >= GROUPS) {
        return;
    }
    let share = share_of(number, lane);
    let c = min(share.channel, CHANNELS - 1u);
    let mean = running_mean[c];
    let scale = weight[c] * inverseSqrt(running_var[c] + EPSILON);
    var sum = Pack(0.0);
    var weighted = Pack(0.0);
    for (var i = share.first; i < share.end; i += ROWS) {
        let at = pack_at(c, i);
        let g = gradient[at];
        result[at] = g * scale;
        sum += g;
        weighted += g * (source[at] - Pack(mean));
    }
    let sums = channel_sums(lane, vec2(pack_sum(sum), pack_sum(weighted)));
    if (lane < LANES_C && share.channel < CHANNELS) {
        partial[c * PARTS + share.part] = sums;
    }
}
