//! uses element_bits
//
// Arithmetic of an element and numbers. Within and at its bounds clamping has slope 1, at NaN 0.
fn scaled(x: Element, factor: f32) -> Element {
    return times(factor, x);
}

fn shifted(x: Element, amount: f32) -> Element {
    return x + amount;
}

fn clamp_below(x: Element, low: f32) -> Element {
    return keep_nan(x, max(x, Element(low)));
}

fn clamp_below_grad(x: Element, dy: Element, low: f32) -> Element {
    return select(Element(0.0), dy, (x >= Element(low)) & !is_nan_element(x));
}

fn clamp_above(x: Element, high: f32) -> Element {
    return keep_nan(x, min(x, Element(high)));
}

fn clamp_above_grad(x: Element, dy: Element, high: f32) -> Element {
    return select(Element(0.0), dy, (x <= Element(high)) & !is_nan_element(x));
}

// With bounds that cross, the upper one counts.
fn clamp_between(x: Element, low: f32, high: f32) -> Element {
    return keep_nan(x, min(max(x, Element(low)), Element(high)));
}

fn clamp_between_grad(x: Element, dy: Element, low: f32, high: f32) -> Element {
    return select(Element(0.0), dy, (x >= Element(low)) & (x <= Element(high)) & !is_nan_element(x));
}
