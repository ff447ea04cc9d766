//! uses group, range_sum, line_squares
//! holes Element of element
//! hole epilogue(at: u32, value: Element) -> Element
//!     by the plan
//
// local_response_norm for windows too wide for one invocation: sums over them by blocks (range_sum).
//
// Source, result and scales (N, LENGTH, PLANE). One invocation makes one pack, `Element`.
@group(0) @binding(0) var<storage, read> source: array<Element>;
@group(0) @binding(1) var<storage, read_write> result: array<Element>;
@group(0) @binding(2) var<storage, read_write> scales: array<Element>;

const PACKS: u32 = 8u; // shape
const LOWER: u32 = 1u; // shape
const UPPER: u32 = 1u; // shape
const RATE: f32 = 1e-4; // shape
const BETA: f32 = 0.75; // shape
const K: f32 = 1.0; // shape

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let i = group_number(group, groups) * 64u + lane;
    if (i >= PACKS) {
        return;
    }
    let c = i / PLANE % LENGTH;
    let end = c + min(LENGTH - 1u - c, UPPER) + 1u;
    let squares = range_sum(i / (PLANE * LENGTH), i % PLANE, c - min(c, LOWER), end);
    let scale = Element(K) + RATE * squares;
    scales[i] = scale;
    result[i] = epilogue(i, source[i] * keep_nan(scale, pow(scale, Element(-BETA))));
}
