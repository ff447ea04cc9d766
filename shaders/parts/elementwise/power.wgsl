//! uses element_bits, maths
//
// x to the power of a number.

// By repeated squaring, for a whole exponent and any x. Past 2^31 nothing but 0, 1 and infinity is left.
fn power_whole(x: Element, exponent: f32) -> Element {
    var result = Element(1.0);
    var factor = x;
    for (var rest = u32(min(abs(exponent), 2147483648.0)); rest > 0u; rest /= 2u) { // at most 32 iterations
        if (rest % 2u == 1u) {
            result *= factor;
        }
        factor *= factor;
    }
    if (exponent < 0.0) {
        return 1.0 / result;
    }
    return result;
}

fn power_whole_grad(x: Element, dy: Element, exponent: f32) -> Element {
    if (exponent == 0.0) {
        return Element(0.0);
    }
    return by_slope(dy, exponent * power_whole(x, exponent - 1.0));
}

// Zero times an infinite slope is NaN, also where a compiler multiplies in an order in which nothing overflows.
fn by_slope(dy: Element, slope: Element) -> Element {
    return select(dy * slope, no_number(), is_zero(dy) & is_not_finite(slope));
}

// For an exponent that is not whole: of a negative x it is no number. Zero and infinity, and numbers below
// the least that every driver's logarithm takes, are seen to here.
fn power_real(x: Element, exponent: f32) -> Element {
    // As in PyTorch a root, which minus infinity has none of either.
    if (exponent == 0.5) {
        return square_root(x);
    }
    if (exponent == -0.5) {
        return 1.0 / square_root(x);
    }
    var end = abs(x);
    if (exponent < 0.0) {
        end = 1.0 / end;
    }
    // A denormal number is its bits times 2^-149.
    let small = is_denormal(x);
    let logarithm = log2(select(abs(x), Element(bitcast<Bits>(x)), small)) - select(Element(0.0), Element(149.0), small);
    let power = select(exp2(exponent * logarithm), no_number(), is_below_zero(x));
    return keep_nan(x, select(power, end, is_zero(x) | is_not_finite(x)));
}

fn power_real_grad(x: Element, dy: Element, exponent: f32) -> Element {
    return by_slope(dy, exponent * power_real(x, exponent - 1.0));
}

// Gradients of the powers in a norm: their slope is 0 where x is 0.
fn norm_power_whole_grad(x: Element, dy: Element, exponent: f32) -> Element {
    return by_slope(dy, select(power_whole_grad(x, Element(1.0), exponent), Element(0.0), is_zero(x)));
}

fn norm_power_real_grad(x: Element, dy: Element, exponent: f32) -> Element {
    return by_slope(dy, select(power_real_grad(x, Element(1.0), exponent), Element(0.0), is_zero(x)));
}
