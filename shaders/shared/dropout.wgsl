// Dropout of an element, by whether its unit is kept (1) or not (0), and the mask itself.
fn dropout(x: Element, kept: Element, scale: f32) -> Element {
    return select(Element(0.0), scale * x, kept == Element(1.0));
}

fn dropout_mask(kept: Element) -> Element {
    return kept;
}
