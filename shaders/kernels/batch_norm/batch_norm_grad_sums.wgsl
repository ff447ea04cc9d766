//! uses group, channel_sums
//! holes Pack of pack
//! hole terms(at: u32, line: vec4<f32>) -> Terms
//!     by batch_norm_grad_terms, batch_norm_grad_pooled_terms, row_norm_grad_terms, row_norm_parameter_terms
//! hole line_of(c: u32) -> vec4<f32> { return vec4(0.0); }
//!     by channel_line
//! hole finalize(c: u32, part: u32, line: vec4<f32>, sums: vec2<f32>)
//!     by batch_norm_grad_finalize, batch_norm_grad_parts, row_norm_grad_finalize, row_norm_parameter_finalize
//
// (sum of gradient, sum of gradient * (source - mean)) over one part of channel c. The two terms at one
// place are `terms`', `finalize` takes the sums, and `line_of` gives what both need to know of the channel.
//
// One workgroup makes one part of LANES_C channels: each
// lane adds its terms in order, then the lanes are added as a fixed tree.
struct Terms {
    gradient: Pack,
    weighted: Pack,
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let number = group_number(group, groups);
    if (number >= GROUPS) {
        return;
    }
    let share = share_of(number, lane);
    let c = min(share.channel, CHANNELS - 1u);
    let line = line_of(c);
    var sum = Terms(Pack(0.0), Pack(0.0));
    for (var i = share.first; i < share.end; i += ROWS) {
        let next = terms(pack_at(c, i), line);
        sum.gradient += next.gradient;
        sum.weighted += next.weighted;
    }
    let sums = channel_sums(lane, vec2(pack_sum(sum.gradient), pack_sum(sum.weighted)));
    if (lane < LANES_C && share.channel < CHANNELS) {
        finalize(c, share.part, line, sums);
    }
}
