//! uses is_nan
//! fills combine
//
// A reduction to the smallest. NaN is smaller than anything.
fn neutral() -> f32 {
    // Infinity, which no constant expression can be.
    var bits = 0x7f800000u;
    return bitcast<f32>(bits);
}

fn combine(a: Pack, b: Pack) -> Pack {
    return select(b, a, (a <= b) | pack_is_nan(a));
}

fn combine_two(a: f32, b: f32) -> f32 {
    return select(b, a, a <= b || is_nan(a));
}
