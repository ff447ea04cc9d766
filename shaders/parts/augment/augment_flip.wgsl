//! fills augment_flipped
//
// A flip by chance.
const FLIP_BELOW: u32 = 0u; // shape

fn augment_flipped(n: u32, word: u32, step: u32, node: u32, seed: vec2<u32>) -> bool {
    return word < FLIP_BELOW;
}
