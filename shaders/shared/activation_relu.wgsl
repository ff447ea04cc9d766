// relu(x) = max(x, 0). Its slope is 0 at 0, as PyTorch has it.
fn relu(x: Element) -> Element {
    return max(x, Element(0.0));
}

fn relu_grad(y: Element, dy: Element) -> Element {
    return select(Element(0.0), dy, y > Element(0.0));
}
