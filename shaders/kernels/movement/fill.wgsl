//! uses group
//
// result[i] = VALUE. One invocation, one element.
@group(0) @binding(0) var<storage, read_write> result: array<u32>;

const ELEMENTS: u32 = 8u; // shape
const VALUE: u32 = 0u; // shape

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let i = group_number(group, groups) * 64u + lane;
    if (i < ELEMENTS) {
        result[i] = VALUE;
    }
}
