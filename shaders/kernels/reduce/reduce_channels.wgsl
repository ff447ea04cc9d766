//! uses group, reduction, team_combine, stretch
//! holes Pack of pack; combine, term of reduction
//! hole epilogue(at: u32, value: f32) -> f32
//!     by the plan
//
// result[c][part] = epilogue(SCALE * terms of source[n][c][i] combined over one part of the elements of
// channel c).
//
// Source is (N, CHANNELS, PLANE), the plane counted in packs of one number or four. The packs of a
// channel, over all n, are numbered 0 to COUNT - 1 and cut into PARTS runs of PART_COUNT; a further
// run of this kernel reduces the parts. TEAM neighbouring invocations make one result: each takes every
// TEAMth pack and combines stretches of them in order, and those in order; then the team is combined as a
// fixed tree.
@group(0) @binding(0) var<storage, read> source: array<Pack>;
@group(0) @binding(1) var<storage, read_write> result: array<f32>;

const CHANNELS: u32 = 1u; // shape
const PLANE: u32 = 64u; // shape
const COUNT: u32 = 64u; // shape
const PARTS: u32 = 1u; // shape
const PART_COUNT: u32 = 64u; // shape
const SCALE: f32 = 1.0; // shape

// The elements of a pack combined to one.
fn fold(v: Pack) -> f32 {
    if (WIDTH == 1.0) {
        return component(v, 0u);
    }
    return combine_two(combine_two(component(v, 0u), component(v, 1u)), combine_two(component(v, 2u), component(v, 3u)));
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let output = group_number(group, groups) * (64u / TEAM) + lane / TEAM;
    let channel = min(output / PARTS, CHANNELS - 1u);
    let first = output % PARTS * PART_COUNT;
    // Teams past the last output load nothing, but take part in the tree.
    let end = select(0u, min(first + PART_COUNT, COUNT), output < CHANNELS * PARTS);
    let origin = Pack(pack_first(source[channel * PLANE]));
    var own = Pack(neutral());
    var i = first + lane % TEAM;
    while (i < end) {
        var stretch = Pack(neutral());
        for (var k = 0u; k < STRETCH && i < end; k++) {
            let at = (i / PLANE * CHANNELS + channel) * PLANE + i % PLANE;
            stretch = combine(stretch, term(source[at], at, origin, channel));
            i += TEAM;
        }
        own = combine(own, stretch);
    }
    let total = team_combine(fold(own), lane);
    if (lane % TEAM == 0u && output < CHANNELS * PARTS) {
        result[output] = epilogue(output, total * SCALE);
    }
}
