//! uses element
//! fills made
//
// 1 if fewer than K classes come before the label of the row, else 0, from the counts of the row's parts.
@group(0) @binding(0) var<storage, read> counts: array<u32>;

const PARTS: u32 = 1u; // shape
const K: u32 = 5u; // shape

fn made(row: u32) -> Element {
    var before = 0u;
    for (var part = 0u; part < PARTS; part++) {
        before += counts[row * PARTS + part];
    }
    return Element(before < K);
}
