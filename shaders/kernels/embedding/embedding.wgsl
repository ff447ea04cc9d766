//! uses group, element
//! holes Element of element
//! hole epilogue(at: u32, value: Element) -> Element
//!     by the plan
//
// result[p] = epilogue(row indices[p] of weight), COLUMNS elements each; zeros for an index that is no row.
//
// One workgroup makes 64 * ITEMS neighbouring elements, an invocation every 64th of them.
@group(0) @binding(0) var<storage, read> weight: array<Element>;
@group(0) @binding(1) var<storage, read> indices: array<i32>;
@group(0) @binding(2) var<storage, read_write> result: array<Element>;

const ELEMENTS: u32 = 64u; // shape
const ITEMS: u32 = 4u; // tunable
const ROWS: u32 = 8u; // shape
const COLUMNS: u32 = 8u; // shape

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let start = group_number(group, groups) * (64u * ITEMS) + lane;
    for (var item = 0u; item < ITEMS; item++) {
        let i = start + item * 64u;
        if (i < ELEMENTS) {
            let index = indices[i / COLUMNS];
            var value = Element();
            if (index >= 0 && index < i32(ROWS)) {
                value = weight[u32(index) * COLUMNS + i % COLUMNS];
            }
            result[i] = epilogue(i, value);
        }
    }
}
