//! uses philox
//
// Which units a dropout keeps, 1 or 0 for each: unit 4 * four + j by word j of the Philox words with counter
// (four, node, step, 0) and key seed. A word below `below` keeps its unit.
fn kept_of_four(four: u32, step: u32, node: u32, seed: vec2<u32>, below: u32) -> vec4<f32> {
    let words = philox(vec4(four, node, step, 0u), seed);
    return select(vec4(0.0), vec4(1.0), words < vec4(below));
}

fn kept_of_unit(unit: u32, step: u32, node: u32, seed: vec2<u32>, below: u32) -> f32 {
    return kept_of_four(unit / 4u, step, node, seed, below)[unit % 4u];
}
