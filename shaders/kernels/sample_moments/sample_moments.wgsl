//! uses group, pack
//! holes Pack of pack
//
// Mean and sum of squared deviations over weighted samples, with one more. share = weight / (all weights so far, this
// one included):
//     mean += share * (x - mean),  deviations += weight * (x - mean before) * (x - mean after)
// (West, "Updating Mean and Variance Estimates: An Improved Method", 1979). The first sample, whose share is 1,
// replaces what was there.
//
// Flat tensors. One workgroup makes 64 * ITEMS neighbouring packs, an invocation every 64th of them.
@group(0) @binding(0) var<storage, read> x: array<Pack>;
@group(0) @binding(1) var<storage, read> weights: array<f32>;
@group(0) @binding(2) var<storage, read> shares: array<f32>;
@group(0) @binding(3) var<storage, read_write> means: array<Pack>;
@group(0) @binding(4) var<storage, read_write> deviations: array<Pack>;

const PACKS: u32 = 8u; // shape
const ITEMS: u32 = 4u; // tunable

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let weight = weights[0];
    let share = shares[0];
    let start = group_number(group, groups) * (64u * ITEMS) + lane;
    for (var item = 0u; item < ITEMS; item++) {
        let i = start + item * 64u;
        if (i < PACKS) {
            if (share >= 1.0) {
                means[i] = x[i];
                deviations[i] = Pack(0.0);
            } else {
                let before = x[i] - means[i];
                let mean = means[i] + share * before;
                means[i] = mean;
                deviations[i] += weight * before * (x[i] - mean);
            }
        }
    }
}
