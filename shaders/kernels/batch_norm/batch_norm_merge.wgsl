//! uses group, channels, moments
//! holes Pack of pack
//! hole finalize(c: u32, part: u32, shift: f32, moments: vec3<f32>)
//!     by batch_norm_finalize
//
// Merges the parts of a channel's moments (batch_norm_parts kept them) as a fixed tree, and finalizes.
//
// One workgroup makes one channel. Of more than 64 parts each invocation merges every 64th in order first.
@group(0) @binding(0) var<storage, read> source: array<Pack>;
@group(0) @binding(1) var<storage, read> partial: array<vec2<f32>>;

var<workgroup> moments: array<vec3<f32>, 64>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let c = group_number(group, groups);
    if (c >= CHANNELS) {
        return;
    }
    moments[lane] = vec3(0.0);
    if (lane < PARTS) {
        moments[lane] = vec3(part_elements(lane), partial[c * PARTS + lane]);
    }
    for (var part = lane + 64u; part < PARTS; part += 64u) {
        moments[lane] = merge_moments(moments[lane], vec3(part_elements(part), partial[c * PARTS + part]));
    }
    for (var width = 32u; width > 0u; width /= 2u) {
        workgroupBarrier();
        if (lane < width) {
            moments[lane] = merge_moments(moments[lane], moments[lane + width]);
        }
    }
    if (lane == 0u) {
        finalize(c, 0u, pack_first(source[pack_at(c, 0u)]), moments[0]);
    }
}
