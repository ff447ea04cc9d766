//! uses group, pack
//! holes Pack of pack
//! hole epilogue(at: u32, value: Pack) -> Pack
//!     by the plan
//
// result = gradient / scale^BETA - 2 * RATE * BETA * source * sum of gradient * source / scale^(BETA + 1) over
// the channels in whose windows an element lies: from UPPER below to LOWER above its own. The sum's terms are
// those that local_response_norm_terms made, so that each power is found once.
//
// All (N, C, PLANE), scales as local_response_norm keeps them. One workgroup makes 64 * ITEMS neighbouring
// packs, an invocation every 64th of them; terms are added in the order of the channels.
@group(0) @binding(0) var<storage, read> source: array<Pack>;
@group(0) @binding(1) var<storage, read> gradient: array<Pack>;
@group(0) @binding(2) var<storage, read> scales: array<Pack>;
@group(0) @binding(3) var<storage, read> terms: array<Pack>;
@group(0) @binding(4) var<storage, read_write> result: array<Pack>;

const CHANNELS: u32 = 2u; // shape
const PLANE: u32 = 4u; // shape
const PACKS: u32 = 8u; // shape
const LOWER: u32 = 1u; // shape
const UPPER: u32 = 1u; // shape
const RATE: f32 = 1e-4; // shape
const BETA: f32 = 0.75; // shape
const ITEMS: u32 = 4u; // tunable

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let start = group_number(group, groups) * (64u * ITEMS) + lane;
    for (var item = 0u; item < ITEMS; item++) {
        let i = start + item * 64u;
        if (i < PACKS) {
            let c = i / PLANE % CHANNELS;
            let first = i - min(c, UPPER) * PLANE;
            let last = i + min(CHANNELS - 1u - c, LOWER) * PLANE;
            var sum = Pack(0.0);
            for (var at = first; at <= last; at += PLANE) {
                sum += terms[at];
            }
            let own = gradient[i] * pack_power(scales[i], -BETA);
            result[i] = epilogue(i, own - (2.0 * RATE * BETA) * source[i] * sum);
        }
    }
}
