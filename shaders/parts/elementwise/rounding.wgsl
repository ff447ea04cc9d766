//! uses element_bits
//
// Functions of one element that are flat wherever they have a slope: signs, rounding, and what kind of number it is.

// NaN has the sign 0, as in PyTorch.
fn sign_of(x: Element) -> Element {
    return select(Element(0.0), Element(1.0), is_above_zero(x)) - select(Element(0.0), Element(1.0), is_below_zero(x));
}

// Compilers may take it that no number is NaN or infinite, and such a number rounds to itself. A denormal number may
// count as zero, and is told by its bits.
fn unless_finite(x: Element, rounded: Element) -> Element {
    return select(rounded, x, is_not_finite(x));
}

fn rounded_down(x: Element) -> Element {
    return unless_finite(x, select(floor(x), Element(-1.0), is_below_zero(x) & (abs(x) < Element(0.5))));
}

fn rounded_up(x: Element) -> Element {
    return unless_finite(x, select(ceil(x), Element(1.0), is_above_zero(x) & (abs(x) < Element(0.5))));
}

// Halves go to the even neighbour.
fn rounded(x: Element) -> Element {
    return unless_finite(x, round(x));
}

fn is_no_number(x: Element) -> Element {
    return select(Element(0.0), Element(1.0), is_nan_element(x));
}

fn is_infinite(x: Element) -> Element {
    return select(Element(0.0), Element(1.0), is_not_finite(x) & !is_nan_element(x));
}

// Zero whatever dy is, as in PyTorch.
fn flat_grad(x: Element, dy: Element) -> Element {
    return Element(0.0);
}
