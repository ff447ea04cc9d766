//! uses element_bits
//
// Dropout of an element, by whether its unit is kept (1) or not (0), and the mask itself.
fn dropout(x: Element, kept: Element, scale: f32) -> Element {
    // Nothing is kept, which the compiler knows.
    if (scale == 0.0) {
        return times(scale, x);
    }
    // Zero times NaN is NaN, as in PyTorch.
    return select(kept * x, scale * x, kept == Element(1.0));
}

fn dropout_mask(kept: Element) -> Element {
    return kept;
}
