// Whether a number is NaN, by its bits: compilers may take it that none is.
fn is_nan(x: f32) -> bool {
    return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}
