// result[c][part] = sum of source[n][c][i] over one part of the elements of channel c.
//
// Source is (N, CHANNELS, PLANE), the plane counted in packs of one number or four. The packs of a
// channel, over all n, are numbered 0 to COUNT - 1 and cut into PARTS runs of PART_COUNT; a further
// run of this kernel adds the parts. TEAM neighbouring invocations make one result: each takes every
// TEAMth pack and adds stretches of them in order, and those in order; then the team is added as a
// fixed tree.
@group(0) @binding(0) var<storage, read> source: array<Pack>;
@group(0) @binding(1) var<storage, read_write> result: array<f32>;

const CHANNELS: u32 = 1u; // shape
const PLANE: u32 = 64u; // shape
const COUNT: u32 = 64u; // shape
const PARTS: u32 = 1u; // shape
const PART_COUNT: u32 = 64u; // shape

// Rounding grows with a stretch and with the number of stretches, not with their product.
const STRETCH: u32 = 32u;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let output = group_number(group, groups) * (64u / TEAM) + lane / TEAM;
    let channel = output / PARTS;
    let first = output % PARTS * PART_COUNT;
    // Teams past the last output load nothing, but take part in the tree.
    let end = select(0u, min(first + PART_COUNT, COUNT), channel < CHANNELS);
    var sum = Pack();
    var i = first + lane % TEAM;
    while (i < end) {
        var stretch = Pack();
        for (var k = 0u; k < STRETCH && i < end; k++) {
            stretch += source[(i / PLANE * CHANNELS + channel) * PLANE + i % PLANE];
            i += TEAM;
        }
        sum += stretch;
    }
    let total = team_sum(pack_sum(sum), lane);
    if (lane % TEAM == 0u && channel < CHANNELS) {
        result[output] = total;
    }
}
