//! uses element
//! fills made
//
// Row indices[p] of weight for each position p, COLUMNS elements each; zeros for an index that is no row.
@group(0) @binding(0) var<storage, read> weight: array<Element>;
@group(0) @binding(1) var<storage, read> indices: array<i32>;

const ROWS: u32 = 8u; // shape
const COLUMNS: u32 = 8u; // shape

fn made(i: u32) -> Element {
    let index = indices[i / COLUMNS];
    var value = Element();
    if (index >= 0 && index < i32(ROWS)) {
        value = weight[u32(index) * COLUMNS + i % COLUMNS];
    }
    return value;
}
