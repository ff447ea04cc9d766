//! uses element_bits
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
    return dy * (exponent * power_whole(x, exponent - 1.0));
}

// For an exponent that is not whole: of a negative x it is no number. Zero and infinity, and numbers below
// the least that every driver's logarithm takes, are seen to here.
fn power_real(x: Element, exponent: f32) -> Element {
    // As in PyTorch a root, which minus infinity has none of either.
    if (exponent == 0.5) {
        return sqrt(x);
    }
    if (exponent == -0.5) {
        return 1.0 / sqrt(x);
    }
    var end = abs(x);
    if (exponent < 0.0) {
        end = 1.0 / end;
    }
    let small = abs(x) < Element(1.17549435e-38);
    let logarithm = log2(select(abs(x), 16777216.0 * abs(x), small)) - select(Element(0.0), Element(24.0), small);
    let power = select(exp2(exponent * logarithm), no_number(), x < Element(0.0));
    return keep_nan(x, select(power, end, (x == Element(0.0)) | (abs(x) > Element(3.40282346e38))));
}

fn power_real_grad(x: Element, dy: Element, exponent: f32) -> Element {
    return dy * (exponent * power_real(x, exponent - 1.0));
}

// Gradients of the powers in a norm: their slope is 0 where x is 0.
fn norm_power_whole_grad(x: Element, dy: Element, exponent: f32) -> Element {
    return dy * select(power_whole_grad(x, Element(1.0), exponent), Element(0.0), x == Element(0.0));
}

fn norm_power_real_grad(x: Element, dy: Element, exponent: f32) -> Element {
    return dy * select(power_real_grad(x, Element(1.0), exponent), Element(0.0), x == Element(0.0));
}
