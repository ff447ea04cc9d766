//! uses group, team, element, stretch
//! holes Element of element
//! hole epilogue(at: u32, value: Element) -> Element
//!     by the plan
//
// sums[part] = SCALE * the sum of epilogue(i, source[i]) over one part of the elements.
//
// One workgroup makes one part of PART_ELEMENTS: each invocation adds every 64th of them, stretches in order
// and those in order; then the invocations are added as a fixed tree.
@group(0) @binding(0) var<storage, read> source: array<Element>;
@group(0) @binding(1) var<storage, read_write> sums: array<f32>;

const ELEMENTS: u32 = 16u; // shape
const PARTS: u32 = 1u; // shape
const PART_ELEMENTS: u32 = 16u; // shape
const SCALE: f32 = 1.0; // shape

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let part = group_number(group, groups);
    let end = select(0u, min((part + 1u) * PART_ELEMENTS, ELEMENTS), part < PARTS);
    var sum = Element(0.0);
    var i = part * PART_ELEMENTS + lane;
    while (i < end) {
        var stretch = Element(0.0);
        for (var k = 0u; k < STRETCH && i < end; k++) {
            stretch += epilogue(i, source[i]);
            i += 64u;
        }
        sum += stretch;
    }
    let total = team_sum(element_sum(sum), lane);
    if (lane == 0u && part < PARTS) {
        sums[part] = SCALE * total;
    }
}
