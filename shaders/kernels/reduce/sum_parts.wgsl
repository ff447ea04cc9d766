//! uses group, element
//! holes Element of element
//! hole finalize(i: u32, sum: Element) -> Element { return sum; }
//!     by pool2d_finalize
//! hole epilogue(at: u32, value: Element) -> Element
//!     by the plan
//
// result[g][i] = epilogue(g * ELEMENTS + i, finalize(i, sum of parts[p][i] over the parts p of group g)).
//
// parts is (PARTS, ELEMENTS); group g has COUNT of them, the last perhaps fewer. One invocation makes one
// result: it adds stretches of parts in order, and those in order. `finalize` is what an operator makes of a whole
// sum.
@group(0) @binding(0) var<storage, read> parts: array<Element>;
@group(0) @binding(1) var<storage, read_write> result: array<Element>;

const ELEMENTS: u32 = 64u; // shape
const PARTS: u32 = 2u; // shape
const COUNT: u32 = 2u; // shape

// Rounding grows with a stretch and with the number of stretches, not with their product.
const PARTS_STRETCH: u32 = 32u;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    const GROUPS = (PARTS + COUNT - 1u) / COUNT;
    let i = group_number(group, groups) * 64u + lane;
    if (i >= GROUPS * ELEMENTS) {
        return;
    }
    let element = i % ELEMENTS;
    var part = i / ELEMENTS * COUNT;
    let end = min(part + COUNT, PARTS);
    var sum = Element();
    while (part < end) {
        var stretch = Element();
        for (var k = 0u; k < PARTS_STRETCH && part < end; k++) {
            stretch += parts[part * ELEMENTS + element];
            part++;
        }
        sum += stretch;
    }
    result[i] = epilogue(i, finalize(element, sum));
}
