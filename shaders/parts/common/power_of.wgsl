//! uses element_bits
//
// A power of numbers that are not negative; drivers' powers of NaN need not be NaN.
fn power_of(base: Element, exponent: f32) -> Element {
    return keep_nan(base, pow(base, Element(exponent)));
}
