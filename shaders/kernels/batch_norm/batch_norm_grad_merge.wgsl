//! uses group, channels
//! holes Pack of pack
//! hole line_of(c: u32) -> vec4<f32> { return vec4(0.0); }
//!     by channel_line
//! hole finalize(c: u32, part: u32, line: vec4<f32>, sums: vec2<f32>)
//!     by batch_norm_grad_finalize, row_norm_grad_finalize, row_norm_parameter_finalize
//
// Adds the parts of a channel's sums (batch_norm_grad_parts kept them) as a fixed tree, and finalizes.
//
// One workgroup makes one channel. Of more than 64 parts each invocation adds every 64th in order first.
@group(0) @binding(4) var<storage, read> partial: array<vec2<f32>>;

var<workgroup> parts: array<vec2<f32>, 64>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let c = group_number(group, groups);
    if (c >= CHANNELS) {
        return;
    }
    parts[lane] = vec2(0.0);
    if (lane < PARTS) {
        parts[lane] = partial[c * PARTS + lane];
    }
    for (var part = lane + 64u; part < PARTS; part += 64u) {
        parts[lane] += partial[c * PARTS + part];
    }
    for (var width = 32u; width > 0u; width /= 2u) {
        workgroupBarrier();
        if (lane < width) {
            parts[lane] += parts[lane + width];
        }
    }
    if (lane == 0u) {
        finalize(c, 0u, line_of(c), parts[0]);
    }
}
