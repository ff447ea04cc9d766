//! uses group
//! hole epilogue(at: u32, value: vec4<f32>) -> vec4<f32>
//!     by the plan
//
// avg_pool2d for 2x2 windows that tile the input.
//
// A window is one vec2 of the upper input row and one of the lower. One invocation makes four
// outputs, which may run on into the next row; the two rows' pairs are added, then their halves.
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
    let sum_0 = source[at.x] + source[at.x + OUT_W];
    let sum_1 = source[at.y] + source[at.y + OUT_W];
    let sum_2 = source[at.z] + source[at.z + OUT_W];
    let sum_3 = source[at.w] + source[at.w + OUT_W];
    let sums = vec4(sum_0.x + sum_0.y, sum_1.x + sum_1.y, sum_2.x + sum_2.y, sum_3.x + sum_3.y);
    result[word] = epilogue(word, 0.25 * sums);
}
