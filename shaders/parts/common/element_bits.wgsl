//! uses element
//
// Where an element may be NaN or infinite it is told by its bits: compilers may take it that no number is, so max,
// min, clamp and selections by comparisons alone may lose one.
fn is_nan_element(x: Element) -> Flag {
    return (bitcast<Bits>(x) & Bits(0x7fffffffu)) > Bits(0x7f800000u);
}

// Infinite, or NaN.
fn is_not_finite(x: Element) -> Flag {
    return (bitcast<Bits>(x) & Bits(0x7f800000u)) == Bits(0x7f800000u);
}

fn is_minus_infinity(x: Element) -> Flag {
    return bitcast<Bits>(x) == Bits(0xff800000u);
}

// Zero of either sign.
fn is_zero(x: Element) -> Flag {
    return (bitcast<Bits>(x) & Bits(0x7fffffffu)) == Bits(0u);
}

// Neither zero, of either sign, nor NaN. Denormal numbers are above or below it, whatever else they count as.
fn is_above_zero(x: Element) -> Flag {
    return (bitcast<Bits>(x) - Bits(1u)) < Bits(0x7f800000u);
}

fn is_below_zero(x: Element) -> Flag {
    return (bitcast<Bits>(x) - Bits(0x80000001u)) < Bits(0x7f800000u);
}

// Zero or below it, and not NaN.
fn is_not_above_zero(x: Element) -> Flag {
    return (bitcast<Ints>(x) <= Ints(0)) & (bitcast<Bits>(x) <= Bits(0xff800000u));
}

// Denormal and above zero: its bits are its size in units of 2^-149. Drivers may count it as zero.
fn is_denormal(x: Element) -> Flag {
    return (bitcast<Bits>(x) - Bits(1u)) < Bits(0x007fffffu);
}

// y, or x where that is NaN.
fn keep_nan(x: Element, y: Element) -> Element {
    return select(y, x, is_nan_element(x));
}

// NaN, which no constant expression can be.
fn no_number() -> Element {
    var bits = Bits(0x7fc00000u);
    return bitcast<Element>(bits);
}

// For activations that are x times something between 0 and 1: what PyTorch's products with an infinity are. Minus
// infinity makes NaN, and neither infinity has a slope.
fn as_a_product(x: Element, y: Element) -> Element {
    return select(y, no_number(), is_nan_element(x) | is_minus_infinity(x));
}

fn slope_as_of_a_product(x: Element, slope: Element) -> Element {
    return select(slope, no_number(), is_not_finite(x));
}

// x times a number that the compiler knows: by 0 it need not multiply, which is NaN of what is not finite.
fn times(number: f32, x: Element) -> Element {
    if (number == 0.0) {
        return select(Element(0.0), no_number(), is_not_finite(x));
    }
    return number * x;
}
