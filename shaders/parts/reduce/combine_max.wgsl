//! uses is_nan
//! fills combine
//
// A reduction to the largest. NaN is larger than anything.
fn neutral() -> f32 {
    // Minus infinity, which no constant expression can be.
    var bits = 0xff800000u;
    return bitcast<f32>(bits);
}

// Of NaN the comparison says nothing: a compiler may make one instruction of it and the selection, which loses NaN.
fn combine(a: Pack, b: Pack) -> Pack {
    let further = select(b, a, a >= b);
    return select(select(further, b, pack_is_nan(b)), a, pack_is_nan(a));
}

fn combine_two(a: f32, b: f32) -> f32 {
    let further = select(b, a, a >= b);
    return select(select(further, b, is_nan(b)), a, is_nan(a));
}
