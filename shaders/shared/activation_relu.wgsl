// ReLU and its leaky relatives. Slopes at 0 are PyTorch's: 0 for ReLU, that of the negative side for the
// others.
fn relu(x: Element) -> Element {
    return max(x, Element(0.0));
}

fn relu_grad(y: Element, dy: Element) -> Element {
    return select(Element(0.0), dy, y > Element(0.0));
}

fn leaky_relu(x: Element, slope: f32) -> Element {
    return select(slope * x, x, x > Element(0.0));
}

// Of the input, or of the output where the slope is not negative: then their signs agree.
fn leaky_relu_grad(saved: Element, dy: Element, slope: f32) -> Element {
    return select(slope * dy, dy, saved > Element(0.0));
}

fn prelu(x: Element, weight: Element) -> Element {
    return select(weight * x, x, x > Element(0.0));
}

fn prelu_grad(x: Element, weight: Element, dy: Element) -> Element {
    return select(weight * dy, dy, x > Element(0.0));
}
