//! uses is_nan
//! fills combine
//
// A reduction to the largest. NaN is larger than anything.
fn neutral() -> f32 {
    // Minus infinity, which no constant expression can be.
    var bits = 0xff800000u;
    return bitcast<f32>(bits);
}

fn combine(a: Pack, b: Pack) -> Pack {
    return select(b, a, (a >= b) | pack_is_nan(a));
}

fn combine_two(a: f32, b: f32) -> f32 {
    return select(b, a, a >= b || is_nan(a));
}
