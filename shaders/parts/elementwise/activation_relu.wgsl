//! uses element_bits
//
// ReLU and its leaky relatives. Slopes at 0 are PyTorch's: 0 for ReLU, that of the negative side for the
// others; at NaN 1 for ReLU.
fn relu(x: Element) -> Element {
    return select(x, Element(0.0), is_below_zero(x));
}

fn relu_grad(y: Element, dy: Element) -> Element {
    return select(dy, Element(0.0), is_not_above_zero(y));
}

fn leaky_relu(x: Element, slope: f32) -> Element {
    return select(times(slope, x), x, is_above_zero(x));
}

// Of the input, or of the output where the slope is not negative: then their signs agree.
fn leaky_relu_grad(saved: Element, dy: Element, slope: f32) -> Element {
    return select(times(slope, dy), dy, is_above_zero(saved));
}

fn prelu(x: Element, weight: Element) -> Element {
    return select(weight * x, x, is_above_zero(x));
}

// By the weight: the sum of this.
fn prelu_grad_weight(x: Element, dy: Element) -> Element {
    return select(x * dy, Element(0.0), is_above_zero(x));
}

fn prelu_grad(x: Element, weight: Element, dy: Element) -> Element {
    return select(weight * dy, dy, is_above_zero(x));
}
