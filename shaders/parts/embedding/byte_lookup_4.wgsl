//! uses element
//! fills made
//
// The numbers of four bytes in the table of their channel. The first byte of a word is in its lowest bits.
@group(0) @binding(0) var<storage, read> words: array<u32>;
@group(0) @binding(1) var<storage, read> tables: array<f32>;

const TABLES: u32 = 1u; // shape
const PLANE: u32 = 4u; // shape

fn made(i: u32) -> Element {
    let bytes = (vec4(words[i]) >> vec4(0u, 8u, 16u, 24u)) & vec4(255u);
    let at = vec4(4u * i / PLANE % TABLES * 256u) + bytes;
    return Element(tables[at.x], tables[at.y], tables[at.z], tables[at.w]);
}
