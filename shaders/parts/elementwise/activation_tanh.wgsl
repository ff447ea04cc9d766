//! uses element
//
// tanh(x) = (1 - exp(-2|x|)) / (1 + exp(-2|x|)) with the sign of x; near zero, where the
// subtraction would cancel, its power series up to x^11. Slope: 1 - y^2 = (1 - y) (1 + y).
fn tanh_by_parts(x: Element) -> Element {
    let size = abs(x);
    let e = exp(-2.0 * size);
    let far = sign(x) * (1.0 - e) / (1.0 + e);
    // Clamped, so that the branch that is not taken stays finite.
    let s = min(x * x, Element(0.0625));
    let series = 1.0 + s * (-0.333333333 + s * (0.133333333 + s * (-0.0539682540 + s * (0.0218694885 - s * 0.00886323552))));
    return select(far, x * series, size < Element(0.25));
}

fn tanh_grad(y: Element, dy: Element) -> Element {
    return dy * ((1.0 - y) * (1.0 + y));
}
