//! uses group, pack
//! holes Pack of pack
//! hole bias_of(c: u32) -> f32 { return 0.0; }
//!     by batch_norm_bias
//! hole epilogue(at: u32, value: Pack) -> Pack
//!     by the plan
//
// result = (source - mean) * weight / sqrt(variance + EPSILON) + bias, from what batch_norm_finalize found.
//
// Source and result (N, C, PLANE). One workgroup makes 64 * ITEMS neighbouring packs, an invocation
// every 64th of them.
@group(0) @binding(0) var<storage, read> source: array<Pack>;
@group(0) @binding(1) var<storage, read> statistics: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> result: array<Pack>;

const CHANNELS: u32 = 2u; // shape
const PLANE: u32 = 4u; // shape
const PACKS: u32 = 8u; // shape
const ITEMS: u32 = 4u; // tunable

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let start = group_number(group, groups) * (64u * ITEMS) + lane;
    for (var item = 0u; item < ITEMS; item++) {
        let i = start + item * 64u;
        if (i < PACKS) {
            let c = i / PLANE % CHANNELS;
            let line = statistics[c];
            result[i] = epilogue(i, (source[i] - Pack(line.x) - Pack(line.y)) * line.w + Pack(bias_of(c)));
        }
    }
}
