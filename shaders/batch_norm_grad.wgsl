// With n elements a channel and normal = (source - mean) * inverse:
//     result      = weight * inverse * (gradient - grad_bias / n - normal * grad_weight / n)
//     grad_weight = sum of gradient * normal
//     grad_bias   = sum of gradient
// (Ioffe and Szegedy, "Batch Normalization", section 3, the sums over mean and variance carried out.)
//
// Source, gradient and result (N, C, PLANE), statistics as batch_norm keeps them. Every workgroup adds
// the partials of its channels in order (batch_norm_grad_sums made them), then makes its part.
@group(0) @binding(0) var<storage, read> source: array<Pack>;
@group(0) @binding(1) var<storage, read> gradient: array<Pack>;
@group(0) @binding(2) var<storage, read> weight: array<f32>;
@group(0) @binding(3) var<storage, read> statistics: array<f32>;
@group(0) @binding(4) var<storage, read> partial: array<vec2<f32>>;
@group(0) @binding(5) var<storage, read_write> result: array<Pack>;
@group(0) @binding(6) var<storage, read_write> grad_weight: array<f32>;
@group(0) @binding(7) var<storage, read_write> grad_bias: array<f32>;

// By channel: its first element, and the factors of gradient, source less that element, and one.
var<workgroup> lines: array<vec4<f32>, LANES_C>;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let number = group_number(group, groups);
    if (number >= GROUPS) {
        return;
    }
    let share = share_of(number, lane);
    let c = share.channel;
    if (lane < LANES_C && c < CHANNELS) {
        var sums = vec2(0.0);
        for (var part = 0u; part < PARTS; part++) {
            sums += partial[c * PARTS + part];
        }
        let shift = pack_first(source[pack_at(c, 0u)]);
        let mean = statistics[c];
        let inverse = statistics[CHANNELS + c];
        let scale = weight[c] * inverse;
        let slope = -scale * inverse * inverse * sums.y / channel_elements();
        lines[lane] = vec4(shift, scale, slope, -scale * sums.x / channel_elements() - slope * mean);
        if (share.part == 0u) {
            grad_weight[c] = sums.y * inverse;
            grad_bias[c] = sums.x;
        }
    }
    workgroupBarrier();
    let line = lines[lane % LANES_C];
    for (var i = share.first; i < share.end; i += ROWS) {
        let at = pack_at(c, i);
        result[at] = gradient[at] * line.y + (source[at] - Pack(line.x)) * line.z + Pack(line.w);
    }
}
