//! uses group
//
// order = (index, position) of all positions, sorted by both within runs of RUN neighbours.
//
// One invocation, one position: it counts those of its run that come before it. What is no row of the weight
// counts as a large number.
@group(0) @binding(0) var<storage, read> indices: array<u32>;
@group(0) @binding(1) var<storage, read_write> order: array<vec2<u32>>;

const POSITIONS: u32 = 64u; // shape
const RUN: u32 = 256u; // tunable

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let position = group_number(group, groups) * 64u + lane;
    if (position >= POSITIONS) {
        return;
    }
    let index = indices[position];
    let first = position / RUN * RUN;
    let end = min(first + RUN, POSITIONS);
    var place = first;
    for (var other = first; other < end; other++) {
        let before = indices[other] < index || (indices[other] == index && other < position);
        place += select(0u, 1u, before);
    }
    order[place] = vec2(index, position);
}
