//! uses element
//
// An element times its weight, and plus its bias.
fn affine(x: Element, weight: Element, bias: Element) -> Element {
    return x * weight + bias;
}

fn affine_weight(x: Element, weight: Element) -> Element {
    return x * weight;
}

fn affine_bias(x: Element, bias: Element) -> Element {
    return x + bias;
}
