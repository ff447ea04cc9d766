//! fills combine
//
// A reduction that adds.
fn neutral() -> f32 {
    return 0.0;
}

fn combine(a: Pack, b: Pack) -> Pack {
    return a + b;
}

fn combine_two(a: f32, b: f32) -> f32 {
    return a + b;
}
