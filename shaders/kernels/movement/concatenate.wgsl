//! uses group, element
//! holes Element of element
//! hole piece(row: u32, column: u32) -> Element
//!     by the operator
//! hole epilogue(at: u32, value: Element) -> Element
//!     by the plan
//
// result[row][START + column] = epilogue(at, piece(row, column)): COLUMNS of each row's ROW elements, which
// lie in several sources.
//
// `piece` reads the sources. One workgroup makes 64 * ITEMS neighbouring elements, an invocation every 64th of them.
@group(0) @binding(0) var<storage, read_write> result: array<Element>;

const ELEMENTS: u32 = 64u; // shape
const ITEMS: u32 = 4u; // tunable
const ROW: u32 = 64u; // shape
const START: u32 = 0u; // shape
const COLUMNS: u32 = 64u; // shape

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let start = group_number(group, groups) * (64u * ITEMS) + lane;
    for (var item = 0u; item < ITEMS; item++) {
        let i = start + item * 64u;
        if (i < ELEMENTS) {
            let row = i / COLUMNS;
            let column = i % COLUMNS;
            let at = row * ROW + START + column;
            result[at] = epilogue(at, piece(row, column));
        }
    }
}
