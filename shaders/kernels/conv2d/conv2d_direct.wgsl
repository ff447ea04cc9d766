//! uses group, conv2d_sliding
//! fills weights
//! holes load_row, add_bias, epilogue of conv2d_sliding
//
// Sliding windows in which every invocation loads the weights it needs; see conv2d_sliding.
fn load_weights(z: u32, block: u32, c: u32, kh: u32) {
}

fn weights_of(z: u32, block: u32, b: u32, c: u32, kh: u32) -> array<f32, KW> {
    let m = min(block + b, OUT - 1u);
    var w: array<f32, KW>;
    for (var kw = 0u; kw < KW; kw++) {
        w[kw] = weight[weight_place(z, m, c, kh, kw)];
    }
    return w;
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    convolve(group_number(group, groups), lane);
}
