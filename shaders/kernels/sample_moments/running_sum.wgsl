//! uses group, pack
//! holes Pack of pack
//
// sums[i] += x[i].
//
// Flat tensors. One workgroup makes 64 * ITEMS neighbouring packs, an invocation every 64th of them.
@group(0) @binding(0) var<storage, read> x: array<Pack>;
@group(0) @binding(1) var<storage, read_write> sums: array<Pack>;

const PACKS: u32 = 8u; // shape
const ITEMS: u32 = 4u; // tunable

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let start = group_number(group, groups) * (64u * ITEMS) + lane;
    for (var item = 0u; item < ITEMS; item++) {
        let i = start + item * 64u;
        if (i < PACKS) {
            sums[i] += x[i];
        }
    }
}
