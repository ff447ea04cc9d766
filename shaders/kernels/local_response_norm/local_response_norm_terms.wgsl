//! uses group, pack
//! holes Pack of pack
//
// terms = gradient * source / scale^(BETA + 1): what local_response_norm_grad sums over windows.
//
// Flat tensors. One workgroup makes 64 * ITEMS neighbouring packs, an invocation every 64th of them.
@group(0) @binding(0) var<storage, read> source: array<Pack>;
@group(0) @binding(1) var<storage, read> gradient: array<Pack>;
@group(0) @binding(2) var<storage, read> scales: array<Pack>;
@group(0) @binding(3) var<storage, read_write> terms: array<Pack>;

const PACKS: u32 = 8u; // shape
const BETA: f32 = 0.75; // shape
const ITEMS: u32 = 4u; // tunable

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let start = group_number(group, groups) * (64u * ITEMS) + lane;
    for (var item = 0u; item < ITEMS; item++) {
        let i = start + item * 64u;
        if (i < PACKS) {
            terms[i] = gradient[i] * source[i] * pack_power(scales[i], -BETA - 1.0);
        }
    }
}
