//! uses group, range_sum, line_sorted
//! holes Element of element
//! hole epilogue(at: u32, value: Element) -> Element
//!     by the plan
//
// dweight[r] = epilogue(sum of dy[p] over the positions p of row r), PLANE elements each; zeros for the row
// IGNORED: embedding_grad for so many positions that a list of them may be too long for one invocation.
//
// One invocation makes one element: it finds the row's stretch of the sorted positions by bisection, and adds it
// in the order of the positions (range_sum).
@group(0) @binding(18) var<storage, read_write> dweight: array<Element>;

const ROWS: u32 = 8u; // shape
// A row that gets no gradient; ROWS for none.
const IGNORED: u32 = 8u; // shape
// Halvings after which nothing is left of all positions.
const STEPS: u32 = 7u; // shape

// The first of the sorted positions whose index is `row` or more.
fn first_of(row: u32) -> u32 {
    var low = 0u;
    var high = LENGTH;
    for (var step = 0u; step < STEPS && low < high; step++) {
        let middle = low + (high - low) / 2u;
        let before = order[middle].x < row;
        if (before) {
            low = middle + 1u;
        } else {
            high = middle;
        }
    }
    return low;
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let i = group_number(group, groups) * 64u + lane;
    if (i >= ROWS * PLANE) {
        return;
    }
    let row = i / PLANE;
    let first = first_of(row);
    let end = select(first_of(row + 1u), first, row == IGNORED);
    dweight[i] = epilogue(i, range_sum(0u, i % PLANE, first, end));
}
