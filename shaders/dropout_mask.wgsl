// mask[i] = kept(i) ? 1 : 0.
//
// An invocation makes four neighbouring elements, which share their random words; the last one as
// many as there are.
@group(0) @binding(0) var<storage, read> step: array<u32>;
@group(0) @binding(1) var<storage, read_write> mask: array<f32>;

const ELEMENTS: u32 = 253u; // shape

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let four = group_number(group, groups) * 64u + lane;
    if (four >= (ELEMENTS + 3u) / 4u) {
        return;
    }
    let keeps = kept(four, step[0]);
    for (var j = 0u; j < min(4u, ELEMENTS - 4u * four); j++) {
        mask[4u * four + j] = select(0.0, 1.0, keeps[j]);
    }
}
