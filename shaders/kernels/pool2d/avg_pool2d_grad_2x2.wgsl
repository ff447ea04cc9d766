//! uses group, corners
//! hole epilogue(at: u32, value: f32) -> f32
//!     by the plan
//
// avg_pool2d_grad for 2x2 windows that tile the input.
//
// One invocation spreads four outputs' gradients over their sixteen input elements: for each a vec2 of the upper row
// and one of the lower.
@group(0) @binding(0) var<storage, read> gradient: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> result: array<vec2<f32>>;

const WORDS: u32 = 4u; // shape

// Two neighbours in a row, each on its way through what follows.
fn pair(at: u32, value: f32) -> vec2<f32> {
    return vec2(epilogue(2u * at, value), epilogue(2u * at + 1u, value));
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let word = group_number(group, groups) * 64u + lane;
    if (word >= WORDS) {
        return;
    }
    let quarter = 0.25 * gradient[word];
    let at = pairs_of(word);
    result[at.x] = pair(at.x, quarter.x);
    result[at.y] = pair(at.y, quarter.y);
    result[at.z] = pair(at.z, quarter.z);
    result[at.w] = pair(at.w, quarter.w);
    result[at.x + OUT_W] = pair(at.x + OUT_W, quarter.x);
    result[at.y + OUT_W] = pair(at.y + OUT_W, quarter.y);
    result[at.z + OUT_W] = pair(at.z + OUT_W, quarter.z);
    result[at.w + OUT_W] = pair(at.w + OUT_W, quarter.w);
}
