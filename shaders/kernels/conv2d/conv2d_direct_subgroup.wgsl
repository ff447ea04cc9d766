//! uses group, conv2d_sliding
//! fills weights
//! holes load_row, add_bias, epilogue of conv2d_sliding
//
// Sliding windows in which eight lanes of a subgroup load one weight each and spread them to all; see
// conv2d_sliding. Subgroups have eight lanes at least.
const EIGHTS: u32 = (BLOCK + 7u) / 8u;

var<private> subgroup_lane: u32;
var<private> own: array<array<f32, KW>, EIGHTS>;

fn load_weights(z: u32, block: u32, c: u32, kh: u32) {
    for (var e = 0u; e < EIGHTS; e++) {
        let m = min(block + e * 8u + subgroup_lane % 8u, OUT - 1u);
        for (var kw = 0u; kw < KW; kw++) {
            own[e][kw] = weight[weight_place(z, m, c, kh, kw)];
        }
    }
}

fn weights_of(z: u32, block: u32, b: u32, c: u32, kh: u32) -> array<f32, KW> {
    var w: array<f32, KW>;
    for (var kw = 0u; kw < KW; kw++) {
        w[kw] = subgroupShuffle(own[b / 8u][kw], b % 8u);
    }
    return w;
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32, @builtin(subgroup_invocation_id) id: u32) {
    subgroup_lane = id;
    convolve(group_number(group, groups), lane);
}
