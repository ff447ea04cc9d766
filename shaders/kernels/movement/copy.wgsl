//! uses group, pack
//! holes Pack of pack
//
// result[i] = source[i]. One invocation, one pack of elements (pack_*).
@group(0) @binding(0) var<storage, read> source: array<Pack>;
@group(0) @binding(1) var<storage, read_write> result: array<Pack>;

const PACKS: u32 = 64u; // shape

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let i = group_number(group, groups) * 64u + lane;
    if (i < PACKS) {
        result[i] = source[i];
    }
}
