// sigmoid(x) = 1 / (1 + exp(-x)), by exp(-|x|), which is never above 1. Slope: y (1 - y).
fn sigmoid(x: Element) -> Element {
    let e = exp(-abs(x));
    return select(e, Element(1.0), x >= Element(0.0)) / (1.0 + e);
}

fn sigmoid_grad(y: Element, dy: Element) -> Element {
    return dy * y * (1.0 - y);
}
