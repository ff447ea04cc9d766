// Arithmetic of two elements, and the gradients of the larger and the smaller of two by the one called
// own: all of dy where it was taken, half where both are equal, as PyTorch has it.
fn sum_of_two(lhs: Element, rhs: Element) -> Element {
    return lhs + rhs;
}

fn difference_of_two(lhs: Element, rhs: Element) -> Element {
    return lhs - rhs;
}

fn product_of_two(lhs: Element, rhs: Element) -> Element {
    return lhs * rhs;
}

fn quotient_of_two(lhs: Element, rhs: Element) -> Element {
    return lhs / rhs;
}

fn larger_of_two(lhs: Element, rhs: Element) -> Element {
    return max(lhs, rhs);
}

fn smaller_of_two(lhs: Element, rhs: Element) -> Element {
    return min(lhs, rhs);
}

fn maximum_grad(dy: Element, own: Element, other: Element) -> Element {
    return select(select(Element(0.0), 0.5 * dy, own == other), dy, own > other);
}

fn minimum_grad(dy: Element, own: Element, other: Element) -> Element {
    return maximum_grad(dy, other, own);
}
