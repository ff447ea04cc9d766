//! uses group, element
//! holes Element of element
//! hole made(i: u32) -> Element { return Element(0.0); }
//!     by the operator
//! hole epilogue(at: u32, value: Element) -> Element
//!     by the plan
//
// result[i] = epilogue(i, made(i)). Where nothing fills `made`, the epilogue is a chain of element-wise
// operators. The first of them reads tensors alone.
//
// One workgroup makes 64 * ITEMS neighbouring elements, an invocation every 64th of them.
@group(0) @binding(31) var<storage, read_write> result: array<Element>;

const ELEMENTS: u32 = 64u; // shape
const ITEMS: u32 = 4u; // tunable

fn make(i: u32) {
    if (i < ELEMENTS) {
        result[i] = epilogue(i, made(i));
    }
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let start = group_number(group, groups) * (64u * ITEMS) + lane;
    if (ITEMS == 1u) {
        make(start);
        return;
    }
    for (var item = 0u; item < ITEMS; item++) {
        make(start + item * 64u);
    }
}
