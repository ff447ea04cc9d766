//! uses group, pack
//! holes Pack of pack
//! hole epilogue(at: u32, value: Pack) -> Pack
//!     by the plan
//
// result = source / scale^BETA, with scale = K + RATE * sum of source^2 over the channels from LOWER below to
// UPPER above an element's own, as far as there are any. Keeps scale for the gradient.
//
// Source, result and scales (N, C, PLANE). One workgroup makes 64 * ITEMS neighbouring packs, an invocation
// every 64th of them; a window's squares are added in the order of the channels.
@group(0) @binding(0) var<storage, read> source: array<Pack>;
@group(0) @binding(1) var<storage, read_write> result: array<Pack>;
@group(0) @binding(2) var<storage, read_write> scales: array<Pack>;

const CHANNELS: u32 = 2u; // shape
const PLANE: u32 = 4u; // shape
const PACKS: u32 = 8u; // shape
const LOWER: u32 = 1u; // shape
const UPPER: u32 = 1u; // shape
const RATE: f32 = 1e-4; // shape
const BETA: f32 = 0.75; // shape
const K: f32 = 1.0; // shape
const ITEMS: u32 = 4u; // tunable

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let start = group_number(group, groups) * (64u * ITEMS) + lane;
    for (var item = 0u; item < ITEMS; item++) {
        let i = start + item * 64u;
        if (i < PACKS) {
            let c = i / PLANE % CHANNELS;
            let first = i - min(c, LOWER) * PLANE;
            let last = i + min(CHANNELS - 1u - c, UPPER) * PLANE;
            var squares = Pack(0.0);
            for (var at = first; at <= last; at += PLANE) {
                squares += source[at] * source[at];
            }
            let scale = Pack(K) + RATE * squares;
            scales[i] = scale;
            result[i] = epilogue(i, source[i] * pack_power(scale, -BETA));
        }
    }
}
