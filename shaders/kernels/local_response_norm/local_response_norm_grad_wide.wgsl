//! uses group, range_sum, line_plain
//! holes Element of element
//! hole epilogue(at: u32, value: Element) -> Element
//!     by the plan
//
// local_response_norm_grad for windows too wide for one invocation: sums over them by blocks
// (range_sum).
//
// All (N, LENGTH, PLANE). One invocation makes one pack, `Element`.
@group(0) @binding(0) var<storage, read> source: array<Element>;
@group(0) @binding(1) var<storage, read> gradient: array<Element>;
@group(0) @binding(2) var<storage, read> scales: array<Element>;
@group(0) @binding(18) var<storage, read_write> result: array<Element>;

const PACKS: u32 = 8u; // shape
const LOWER: u32 = 1u; // shape
const UPPER: u32 = 1u; // shape
const RATE: f32 = 1e-4; // shape
const BETA: f32 = 0.75; // shape

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let i = group_number(group, groups) * 64u + lane;
    if (i >= PACKS) {
        return;
    }
    let c = i / PLANE % LENGTH;
    let end = c + min(LENGTH - 1u - c, LOWER) + 1u;
    let sum = range_sum(i / (PLANE * LENGTH), i % PLANE, c - min(c, UPPER), end);
    let own = gradient[i] * keep_nan(scales[i], pow(scales[i], Element(-BETA)));
    result[i] = epilogue(i, own - (2.0 * RATE * BETA) * source[i] * sum);
}
