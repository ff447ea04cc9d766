//! uses group, pack
//! holes Pack of pack
//! hole epilogue(at: u32, value: Pack) -> Pack
//!     by the plan
//
// avg_pool2d_grad for a window that is the whole plane: result[p][i] = gradient[p] / COUNT.
//
// A plane is PLANE packs of one number or four. One invocation makes one pack.
@group(0) @binding(0) var<storage, read> gradient: array<f32>;
@group(0) @binding(1) var<storage, read_write> result: array<Pack>;

const PACKS: u32 = 1024u; // shape
const PLANE: u32 = 64u; // shape
const COUNT: u32 = 64u; // shape

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let i = group_number(group, groups) * 64u + lane;
    if (i < PACKS) {
        result[i] = epilogue(i, Pack(gradient[i / PLANE] / f32(COUNT)));
    }
}
