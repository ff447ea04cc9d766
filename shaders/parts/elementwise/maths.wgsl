//! uses element_bits, log_of
//
// Functions of mathematics that WGSL has under its own names, and their gradients.
fn exponential(x: Element) -> Element {
    return exp(x);
}

fn exp_grad(y: Element, dy: Element) -> Element {
    return dy * y;
}

fn logarithm(x: Element) -> Element {
    return log_of(x);
}

fn log_grad(x: Element, dy: Element) -> Element {
    return dy / x;
}

// A denormal number is its bits times 2^-149: twice them under the root, and 2^-75.
fn square_root(x: Element) -> Element {
    let small = is_denormal(x);
    return sqrt(select(x, 2.0 * Element(bitcast<Bits>(x)), small)) * select(Element(1.0), Element(2.646977960e-23), small);
}

fn sqrt_grad(y: Element, dy: Element) -> Element {
    return dy / (2.0 * y);
}

fn absolute(x: Element) -> Element {
    return abs(x);
}

fn abs_grad(x: Element, dy: Element) -> Element {
    // NaN has the sign 0, as in PyTorch.
    return dy * (select(Element(0.0), Element(1.0), is_above_zero(x)) - select(Element(0.0), Element(1.0), is_below_zero(x)));
}
