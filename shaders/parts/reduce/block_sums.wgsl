//! uses element, lines, stretch
//! fills made
//! hole element_at(n: u32, k: u32, inner: u32) -> Element
//!     by line, line_sorted
//
// sums[n][b][i] = sum of element k of line (n, i) over the BLOCK elements k of block b, for range_sum.
//
// Stretches are added in order, and those in order.

const BLOCK: u32 = 1024u; // tunable

fn made(i: u32) -> Element {
    const BLOCKS = (LENGTH + BLOCK - 1u) / BLOCK;
    let inner = i % PLANE;
    let n = i / (PLANE * BLOCKS);
    var k = i / PLANE % BLOCKS * BLOCK;
    let end = min(k + BLOCK, LENGTH);
    var sum = Element();
    while (k < end) {
        var stretch = Element();
        for (var s = 0u; s < STRETCH && k < end; s++) {
            stretch += element_at(n, k, inner);
            k++;
        }
        sum += stretch;
    }
    return sum;
}
