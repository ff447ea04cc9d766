//! uses element, stretch
//! fills made
//
// dweight[r] = sum of dy[p] over the positions p of row r, COLUMNS elements each; zeros for the row IGNORED.
//
// The sum follows the row's list of positions (embedding_links), so that the order is theirs. Stretches are added, and
// those in order.
@group(0) @binding(0) var<storage, read> dy: array<Element>;
@group(0) @binding(1) var<storage, read> heads: array<u32>;
@group(0) @binding(2) var<storage, read> next: array<u32>;

const COLUMNS: u32 = 8u; // shape
const POSITIONS: u32 = 64u; // shape
// A row that gets no gradient; the number of rows for none.
const IGNORED: u32 = 8u; // shape

fn made(i: u32) -> Element {
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
    return sum;
}
