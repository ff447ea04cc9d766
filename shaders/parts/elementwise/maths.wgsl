//! uses element
//
// Functions of mathematics that WGSL has under its own names, and their gradients.
fn exponential(x: Element) -> Element {
    return exp(x);
}

fn exp_grad(y: Element, dy: Element) -> Element {
    return dy * y;
}

// Drivers' logarithms need not take numbers below the least normal one.
fn logarithm(x: Element) -> Element {
    let small = x < Element(1.17549435e-38);
    return log(select(x, 16777216.0 * x, small)) - select(Element(0.0), Element(16.6355323), small);
}

fn log_grad(x: Element, dy: Element) -> Element {
    return dy / x;
}

fn square_root(x: Element) -> Element {
    return sqrt(x);
}

fn sqrt_grad(y: Element, dy: Element) -> Element {
    return dy / (2.0 * y);
}

fn absolute(x: Element) -> Element {
    return abs(x);
}

fn abs_grad(x: Element, dy: Element) -> Element {
    // NaN has the sign 0, as in PyTorch.
    return dy * (select(Element(0.0), Element(1.0), x > Element(0.0)) - select(Element(0.0), Element(1.0), x < Element(0.0)));
}
