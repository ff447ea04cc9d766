//! uses group, is_nan
//! hole keep(word: u32, won: u32) {}
//!     by max_pool2d_keep
//
// max_pool2d for 2x2 windows that tile the input, with an even number of output columns.
//
// Outputs 2k and 2k+1 lie side by side in one row, and their windows are one vec4 of the upper
// input row and one of the lower. One invocation makes four outputs and the word of their taps.
@group(0) @binding(0) var<storage, read> source: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> result: array<vec4<f32>>;

const WORDS: u32 = 4u; // shape
const OUT_W: u32 = 4u; // shape

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let word = group_number(group, groups) * 64u + lane;
    if (word >= WORDS) {
        return;
    }
    // An input row is OUT_W / 2 vec4s; output row r has input rows 2r and 2r + 1.
    let width = OUT_W / 2u;
    let first = 2u * word / width * OUT_W + 2u * word % width;
    let second = (2u * word + 1u) / width * OUT_W + (2u * word + 1u) % width;
    let upper_0 = source[first];
    let upper_1 = source[second];
    let lower_0 = source[first + width];
    let lower_1 = source[second + width];
    let a = vec4(upper_0.xz, upper_1.xz);
    let b = vec4(upper_0.yw, upper_1.yw);
    let c = vec4(lower_0.xz, lower_1.xz);
    let d = vec4(lower_0.yw, lower_1.yw);
    // Only a strictly larger one goes before an earlier one, or NaN.
    let right_above = (b > a) | are_nan(b);
    let right_below = (d > c) | are_nan(d);
    let upper = select(a, b, right_above);
    let lower = select(c, d, right_below);
    let below = (lower > upper) | are_nan(lower);
    let upper_tap = select(vec4(0u), vec4(1u), right_above);
    let lower_tap = select(vec4(2u), vec4(3u), right_below);
    let tap = select(upper_tap, lower_tap, below);
    result[word] = select(upper, lower, below);
    keep(word, tap.x | (tap.y << 8u) | (tap.z << 16u) | (tap.w << 24u));
}
