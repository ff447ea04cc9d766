//! uses group, is_nan
//! hole keep(word: u32, won: u32) {}
//!     by max_pool2d_keep
//
// max_pool2d for 2x2 windows that tile the input, with an odd number of output columns.
//
// A window is one vec2 of the upper input row and one of the lower. One invocation makes four
// outputs, which may run on into the next row, and the word of their taps.
@group(0) @binding(0) var<storage, read> source: array<vec2<f32>>;
@group(0) @binding(1) var<storage, read_write> result: array<vec4<f32>>;

const WORDS: u32 = 4u; // shape
const OUT_W: u32 = 4u; // shape

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let word = group_number(group, groups) * 64u + lane;
    if (word >= WORDS) {
        return;
    }
    // An input row is OUT_W vec2s; output row r has input rows 2r and 2r + 1.
    let o = 4u * word + vec4(0u, 1u, 2u, 3u);
    let at = o + o / OUT_W * OUT_W;
    let upper_0 = source[at.x];
    let upper_1 = source[at.y];
    let upper_2 = source[at.z];
    let upper_3 = source[at.w];
    let lower_0 = source[at.x + OUT_W];
    let lower_1 = source[at.y + OUT_W];
    let lower_2 = source[at.z + OUT_W];
    let lower_3 = source[at.w + OUT_W];
    let a = vec4(upper_0.x, upper_1.x, upper_2.x, upper_3.x);
    let b = vec4(upper_0.y, upper_1.y, upper_2.y, upper_3.y);
    let c = vec4(lower_0.x, lower_1.x, lower_2.x, lower_3.x);
    let d = vec4(lower_0.y, lower_1.y, lower_2.y, lower_3.y);
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
