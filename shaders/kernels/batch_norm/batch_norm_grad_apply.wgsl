//! uses group, pack
//! holes Pack of pack
//! hole gradient_at(i: u32) -> Pack
//!     by gradient_plain, gradient_pooled, row_norm_gradient
//! hole epilogue(at: u32, value: Pack) -> Pack
//!     by the plan
//
// result = gradient * a + (source - shift) * b + d, with the line of each channel that
// batch_norm_grad_finalize found.
//
// Source and result (N, C, PLANE). One workgroup makes 64 * ITEMS neighbouring packs, an invocation
// every 64th of them.
@group(0) @binding(0) var<storage, read> source: array<Pack>;
@group(0) @binding(5) var<storage, read> lines: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read_write> result: array<Pack>;

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
            let line = lines[i / PLANE % CHANNELS];
            result[i] = epilogue(i, gradient_at(i) * line.y + (source[i] - Pack(line.x)) * line.z + Pack(line.w));
        }
    }
}
