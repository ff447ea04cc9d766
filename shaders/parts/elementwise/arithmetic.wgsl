//! uses element_bits
//
// Arithmetic of two elements, and the gradients of the larger and the smaller of two by the one called
// own: all of dy where it was taken, half where both are equal, and all of it where either is NaN, as PyTorch has it.
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
    return keep_nan(lhs, keep_nan(rhs, max(lhs, rhs)));
}

fn smaller_of_two(lhs: Element, rhs: Element) -> Element {
    return keep_nan(lhs, keep_nan(rhs, min(lhs, rhs)));
}

fn maximum_grad(dy: Element, own: Element, other: Element) -> Element {
    let share = select(select(dy, 0.5 * dy, own == other), Element(0.0), own < other);
    return select(share, dy, is_nan_element(own) | is_nan_element(other));
}

fn minimum_grad(dy: Element, own: Element, other: Element) -> Element {
    return maximum_grad(dy, other, own);
}
