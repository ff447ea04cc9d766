//! uses group, is_nan, corners
//! hole corners_of(word: u32) -> Corners
//!     by corners_from_pairs, corners_from_fours
//! hole keep(word: u32, won: u32) {}
//!     by max_pool2d_keep
//
// max_pool2d for 2x2 windows that tile the input. One invocation makes four outputs and the word of their taps.
@group(0) @binding(1) var<storage, read_write> result: array<vec4<f32>>;

const WORDS: u32 = 4u; // shape

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let word = group_number(group, groups) * 64u + lane;
    if (word >= WORDS) {
        return;
    }
    let own = corners_of(word);
    // Only a strictly larger one goes before an earlier one, or NaN.
    let right_above = ((own.b > own.a) & !are_nan(own.a)) | are_nan(own.b);
    let right_below = ((own.d > own.c) & !are_nan(own.c)) | are_nan(own.d);
    let upper = select(own.a, own.b, right_above);
    let lower = select(own.c, own.d, right_below);
    let below = ((lower > upper) & !are_nan(upper)) | are_nan(lower);
    let upper_tap = select(vec4(0u), vec4(1u), right_above);
    let lower_tap = select(vec4(2u), vec4(3u), right_below);
    let tap = select(upper_tap, lower_tap, below);
    result[word] = select(upper, lower, below);
    keep(word, tap.x | (tap.y << 8u) | (tap.z << 16u) | (tap.w << 24u));
}
