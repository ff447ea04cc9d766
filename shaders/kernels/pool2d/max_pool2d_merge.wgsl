//! uses group, max_pool2d_goes_before
//! hole keep(word: u32, won: u32) {}
//!     by max_pool2d_keep
//
// result[o] = the largest of the parts of window o (max_pool2d_parts); keep gets its tap. Of equals the first part
// wins, whose taps come first.
//
// One invocation makes one result.
@group(0) @binding(0) var<storage, read> parts: array<vec2<u32>>;
@group(0) @binding(1) var<storage, read_write> result: array<f32>;

const OUTPUTS: u32 = 16u; // shape
const PARTS: u32 = 2u; // shape

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let o = group_number(group, groups) * 64u + lane;
    if (o >= OUTPUTS) {
        return;
    }
    var best = 0.0;
    var tap = NO_TAP;
    for (var p = 0u; p < PARTS; p++) {
        let part = parts[p * OUTPUTS + o];
        let candidate = bitcast<f32>(part.x);
        let wins = part.y != NO_TAP && (tap == NO_TAP || goes_before(candidate, best));
        best = select(best, candidate, wins);
        tap = select(tap, part.y, wins);
    }
    result[o] = best;
    keep(o, tap);
}
