// Arithmetic of an element and a number.
fn scaled(x: Element, factor: f32) -> Element {
    return factor * x;
}

fn shifted(x: Element, amount: f32) -> Element {
    return x + amount;
}
