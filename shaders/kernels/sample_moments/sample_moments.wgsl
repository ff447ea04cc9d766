//! uses group, pack
//! holes Pack of pack
//
// Mean and sum of squared deviations over samples, with one more: with n samples, this one included,
//     mean += (x - mean) / n,  deviations += (x - mean before) * (x - mean after)
// (Welford, "Note on a Method for Calculating Corrected Sums of Squares and Products", 1962). The first
// sample replaces what was there.
//
// Flat tensors. One workgroup makes 64 * ITEMS neighbouring packs, an invocation every 64th of them.
@group(0) @binding(0) var<storage, read> x: array<Pack>;
@group(0) @binding(1) var<storage, read> sample: array<f32>;
@group(0) @binding(2) var<storage, read_write> means: array<Pack>;
@group(0) @binding(3) var<storage, read_write> deviations: array<Pack>;

const PACKS: u32 = 8u; // shape
const ITEMS: u32 = 4u; // tunable

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let n = sample[0];
    let start = group_number(group, groups) * (64u * ITEMS) + lane;
    for (var item = 0u; item < ITEMS; item++) {
        let i = start + item * 64u;
        if (i < PACKS) {
            if (n <= 1.0) {
                means[i] = x[i];
                deviations[i] = Pack(0.0);
            } else {
                let before = x[i] - means[i];
                let mean = means[i] + before / n;
                means[i] = mean;
                deviations[i] += before * (x[i] - mean);
            }
        }
    }
}
