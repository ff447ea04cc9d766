//! uses group, channels, moments
//! holes Pack of pack
//! hole finalize(c: u32, part: u32, shift: f32, moments: vec3<f32>)
//!     by batch_norm_finalize, batch_norm_parts
//
// (elements, mean, sum of squared deviations from it) of source[c] - shift over one part of channel c,
// where shift is the channel's first element: a mean far from zero costs no digits. What becomes of
// them is `finalize`'s.
//
// Source (N, C, PLANE). One workgroup makes one part of LANES_C channels: each lane updates mean and
// deviations pack by pack (Welford), then the lanes are merged as a fixed tree.
@group(0) @binding(0) var<storage, read> source: array<Pack>;

var<workgroup> moments: array<vec3<f32>, LANES>;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let number = group_number(group, groups);
    if (number >= GROUPS) {
        return;
    }
    let share = share_of(number, lane);
    let shift = pack_first(source[pack_at(min(share.channel, CHANNELS - 1u), 0u)]);
    var count = 0.0;
    var mean = Pack(0.0);
    var spread = Pack(0.0);
    for (var i = share.first; i < share.end; i += ROWS) {
        count += 1.0;
        let v = source[pack_at(share.channel, i)] - Pack(shift);
        let delta = v - mean;
        mean += delta * (1.0 / count);
        spread += delta * (v - mean);
    }
    // A pack's components are sets of equal count.
    let lane_mean = pack_sum(mean) / WIDTH;
    let apart = mean - Pack(lane_mean);
    var own = vec3(count * WIDTH, lane_mean, pack_sum(spread + apart * apart * count));
    if (ROWS > 1u) {
        moments[lane] = own;
        workgroupBarrier();
        for (var width = LANES / 2u; width >= LANES_C; width /= 2u) {
            if (lane < width) {
                moments[lane] = merge_moments(moments[lane], moments[lane + width]);
            }
            workgroupBarrier();
        }
        own = moments[lane];
    }
    if (lane < LANES_C && share.channel < CHANNELS) {
        finalize(share.channel, share.part, shift, own);
    }
}
