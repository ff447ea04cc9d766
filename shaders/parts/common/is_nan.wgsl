// NaN and infinities, told by their bits: compilers may take it that no number is one.
fn is_nan(x: f32) -> bool {
    return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}

fn are_nan(x: vec4<f32>) -> vec4<bool> {
    return (bitcast<vec4<u32>>(x) & vec4(0x7fffffffu)) > vec4(0x7f800000u);
}

// What a maximum starts from, which no constant expression can be.
fn minus_infinity() -> f32 {
    var bits = 0xff800000u;
    return bitcast<f32>(bits);
}

// `x`, or NaN unless `bound` is finite.
fn unless_infinite(bound: f32, x: f32) -> f32 {
    var nan = 0x7fc00000u;
    return select(x, bitcast<f32>(nan), (bitcast<u32>(bound) & 0x7f800000u) == 0x7f800000u);
}
