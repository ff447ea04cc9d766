//! uses group, element
//! holes Element of element
//! hole epilogue(at: u32, value: Element) -> Element
//!     by the plan
//
// dweight[r] = epilogue(sum of dy[p] over the positions p of row r), COLUMNS elements each; zeros for the row
// IGNORED.
//
// One invocation makes one element: it follows the row's list of positions (embedding_links), so that the
// order is theirs. It adds stretches of them, and those in order.
@group(0) @binding(0) var<storage, read> dy: array<Element>;
@group(0) @binding(1) var<storage, read> heads: array<u32>;
@group(0) @binding(2) var<storage, read> next: array<u32>;
@group(0) @binding(3) var<storage, read_write> dweight: array<Element>;

const ROWS: u32 = 8u; // shape
const COLUMNS: u32 = 8u; // shape
const POSITIONS: u32 = 64u; // shape
// A row that gets no gradient; ROWS for none.
const IGNORED: u32 = 8u; // shape

// Rounding grows with a stretch and with the number of stretches, not with their product.
const STRETCH: u32 = 32u;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let i = group_number(group, groups) * 64u + lane;
    if (i >= ROWS * COLUMNS) {
        return;
    }
    let row = i / COLUMNS;
    var position = heads[row];
    if (row == IGNORED) {
        position = POSITIONS;
    }
    var sum = Element();
    for (var stretches = 0u; stretches < (POSITIONS + STRETCH - 1u) / STRETCH && position < POSITIONS; stretches++) {
        var stretch = Element();
        for (var k = 0u; k < STRETCH && position < POSITIONS; k++) {
            stretch += dy[position * COLUMNS + i % COLUMNS];
            position = next[position];
        }
        sum += stretch;
    }
    dweight[i] = epilogue(i, sum);
}
