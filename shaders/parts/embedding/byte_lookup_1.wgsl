//! uses element
//! fills made
//
// The number of each byte in the table of its channel. Four bytes lie in a word, the first in the lowest bits.
@group(0) @binding(0) var<storage, read> words: array<u32>;
@group(0) @binding(1) var<storage, read> tables: array<f32>;

const TABLES: u32 = 1u; // shape
const PLANE: u32 = 4u; // shape

fn made(i: u32) -> Element {
    let byte = extractBits(words[i / 4u], 8u * (i % 4u), 8u);
    return Element(tables[i / PLANE % TABLES * 256u + byte]);
}
