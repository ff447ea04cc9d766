//! uses element, range_sum, line_sorted
//! fills made
//
// dweight[r] = sum of dy[p] over the positions p of row r, PLANE elements each; zeros for the row IGNORED:
// embedding_grad for so many positions that a list of them may be too long for one invocation.
//
// The row's stretch of the sorted positions is found by bisection, and added in the order of the positions
// (range_sum).

// A row that gets no gradient; the number of rows for none.
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

fn made(i: u32) -> Element {
    let row = i / PLANE;
    let first = first_of(row);
    let end = select(first_of(row + 1u), first, row == IGNORED);
    return range_sum(0u, i % PLANE, first, end);
}
