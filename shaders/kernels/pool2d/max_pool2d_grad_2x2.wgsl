//! uses group, corners
//! hole write_corners(word: u32, corners: Corners)
//!     by corners_to_pairs, corners_to_fours
//
// max_pool2d_grad for 2x2 windows that tile the input. One invocation spreads four outputs' gradients over their
// sixteen input elements.
@group(0) @binding(0) var<storage, read> gradient: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> taps: array<u32>;

const WORDS: u32 = 4u; // shape

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let word = group_number(group, groups) * 64u + lane;
    if (word >= WORDS) {
        return;
    }
    let g = gradient[word];
    let tap = (vec4(taps[word]) >> vec4(0u, 8u, 16u, 24u)) & vec4(3u);
    let a = select(vec4(0.0), g, tap == vec4(0u));
    let b = select(vec4(0.0), g, tap == vec4(1u));
    let c = select(vec4(0.0), g, tap == vec4(2u));
    let d = select(vec4(0.0), g, tap == vec4(3u));
    write_corners(word, Corners(a, b, c, d));
}
