// The sum of two elements.
fn sum_of_two(lhs: Element, rhs: Element) -> Element {
    return lhs + rhs;
}
