//! uses group
//
// max_pool2d_grad for 2x2 windows that tile the input, with an odd number of output columns.
//
// One invocation spreads four outputs' gradients over their windows, each a vec2 of the upper
// input row and one of the lower.
@group(0) @binding(0) var<storage, read> gradient: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> taps: array<u32>;
@group(0) @binding(2) var<storage, read_write> result: array<vec2<f32>>;

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
    // An input row is OUT_W vec2s; output row r has input rows 2r and 2r + 1.
    let o = 4u * word + vec4(0u, 1u, 2u, 3u);
    let at = o + o / OUT_W * OUT_W;
    result[at.x] = vec2(a.x, b.x);
    result[at.y] = vec2(a.y, b.y);
    result[at.z] = vec2(a.z, b.z);
    result[at.w] = vec2(a.w, b.w);
    result[at.x + OUT_W] = vec2(c.x, d.x);
    result[at.y + OUT_W] = vec2(c.y, d.y);
    result[at.z + OUT_W] = vec2(c.z, d.z);
    result[at.w + OUT_W] = vec2(c.w, d.w);
}
