// Which units a dropout keeps, four at a time: unit 4 * four + j by word j of the Philox words with
// counter (four, NODE, step, 0) and key SEED. A word below KEEP_BELOW keeps its unit.
const SEED_LOW: u32 = 0u; // shape
const SEED_HIGH: u32 = 0u; // shape
const NODE: u32 = 0u; // shape
const KEEP_BELOW: u32 = 2147483648u; // shape

fn kept(four: u32, step: u32) -> vec4<bool> {
    let words = philox(vec4(four, NODE, step, 0u), vec2(SEED_LOW, SEED_HIGH));
    return words < vec4(KEEP_BELOW);
}
