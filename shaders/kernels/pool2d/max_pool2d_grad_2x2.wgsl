//! uses group
//
// max_pool2d_grad for 2x2 windows that tile the input, with an even number of output columns.
//
// One invocation spreads four outputs' gradients over their sixteen input elements: two vec4s of
// upper rows and two of lower ones.
@group(0) @binding(0) var<storage, read> gradient: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> taps: array<u32>;
@group(0) @binding(2) var<storage, read_write> result: array<vec4<f32>>;

const WORDS: u32 = 4u; // shape
const OUT_W: u32 = 4u; // shape

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
    // An input row is OUT_W / 2 vec4s; output row r has input rows 2r and 2r + 1.
    let width = OUT_W / 2u;
    let first = 2u * word / width * OUT_W + 2u * word % width;
    let second = (2u * word + 1u) / width * OUT_W + (2u * word + 1u) % width;
    result[first] = vec4(a.x, b.x, a.y, b.y);
    result[second] = vec4(a.z, b.z, a.w, b.w);
    result[first + width] = vec4(c.x, d.x, c.y, d.y);
    result[second + width] = vec4(c.z, d.z, c.w, d.w);
}
