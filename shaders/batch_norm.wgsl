// result = (source - mean) * inverse * weight + bias, inverse = 1 / sqrt(variance + EPSILON), with the
// biased variance; running_mean and running_var move by MOMENTUM to the mean and the unbiased variance.
// statistics (2, C) keeps mean - shift and inverse, where shift is the channel's first element: the
// mean itself, rounded to f32, would cost digits where it is far from zero.
//
// Source and result (N, C, PLANE). Every workgroup merges the partials of its channels in order
// (batch_norm_moments made them), then normalises its part. The first part's writes the statistics.
@group(0) @binding(0) var<storage, read> source: array<Pack>;
@group(0) @binding(1) var<storage, read> weight: array<f32>;
@group(0) @binding(2) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read> partial: array<vec2<f32>>;
@group(0) @binding(4) var<storage, read_write> result: array<Pack>;
@group(0) @binding(5) var<storage, read_write> statistics: array<f32>;
@group(0) @binding(6) var<storage, read_write> running_mean: array<f32>;
@group(0) @binding(7) var<storage, read_write> running_var: array<f32>;

const EPSILON: f32 = 1e-5; // shape
const MOMENTUM: f32 = 0.1; // shape

// By channel: shift, scale, offset.
var<workgroup> lines: array<vec3<f32>, LANES_C>;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let number = group_number(group, groups);
    if (number >= GROUPS) {
        return;
    }
    let share = share_of(number, lane);
    let c = share.channel;
    if (lane < LANES_C && c < CHANNELS) {
        var whole = vec3(0.0);
        for (var part = 0u; part < PARTS; part++) {
            whole = merge_moments(whole, vec3(part_elements(part), partial[c * PARTS + part]));
        }
        let shift = pack_first(source[pack_at(c, 0u)]);
        let inverse = inverseSqrt(whole.z / channel_elements() + EPSILON);
        let scale = inverse * weight[c];
        lines[lane] = vec3(shift, scale, bias[c] - whole.y * scale);
        if (share.part == 0u) {
            statistics[c] = whole.y;
            statistics[CHANNELS + c] = inverse;
            let unbiased = whole.z / (channel_elements() - 1.0);
            running_mean[c] = (1.0 - MOMENTUM) * running_mean[c] + MOMENTUM * (shift + whole.y);
            running_var[c] = (1.0 - MOMENTUM) * running_var[c] + MOMENTUM * unbiased;
        }
    }
    workgroupBarrier();
    let line = lines[lane % LANES_C];
    for (var i = share.first; i < share.end; i += ROWS) {
        let at = pack_at(c, i);
        result[at] = (source[at] - Pack(line.x)) * line.y + Pack(line.z);
    }
}
