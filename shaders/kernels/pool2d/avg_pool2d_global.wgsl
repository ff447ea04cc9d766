//! uses group, pack, team, stretch
//! holes Pack of pack
//! hole epilogue(at: u32, value: f32) -> f32
//!     by the plan
//
// avg_pool2d for a window that is the whole plane: result[p] = sum of source[p][i] / COUNT.
//
// A plane is PLANE packs of one number or four. TEAM neighbouring invocations make one result: each
// takes every TEAMth pack and adds stretches of them in order, and those in order; then the team is
// added as a fixed tree.
@group(0) @binding(0) var<storage, read> source: array<Pack>;
@group(0) @binding(1) var<storage, read_write> result: array<f32>;

const PLANES: u32 = 16u; // shape
const PLANE: u32 = 64u; // shape
const COUNT: u32 = 64u; // shape

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let p = group_number(group, groups) * (64u / TEAM) + lane / TEAM;
    // Teams past the last plane load nothing, but take part in the tree.
    let end = select(0u, (p + 1u) * PLANE, p < PLANES);
    var sum = Pack();
    var i = p * PLANE + lane % TEAM;
    while (i < end) {
        var stretch = Pack();
        for (var k = 0u; k < STRETCH && i < end; k++) {
            stretch += source[i];
            i += TEAM;
        }
        sum += stretch;
    }
    let total = team_sum(pack_sum(sum), lane);
    if (lane % TEAM == 0u && p < PLANES) {
        result[p] = epilogue(p, total / f32(COUNT));
    }
}
