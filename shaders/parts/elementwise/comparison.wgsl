//! uses element_bits
//
// Comparisons of two elements, which are 1 or 0, and choices by such a number. Numbers are compared by their bits, so that
// neither NaN, nor infinities, nor denormal numbers depend on what a compiler makes of them.

// A whole number for each number, in the same order. Zeros of either sign have the same one.
fn place_in_order(x: Element) -> Ints {
    let size = bitcast<Ints>(x) & Ints(0x7fffffff);
    return select(size, -size, bitcast<Ints>(x) < Ints(0));
}

fn truth(flag: Flag) -> Element {
    return select(Element(0.0), Element(1.0), flag);
}

fn are_numbers(lhs: Element, rhs: Element) -> Flag {
    return !(is_nan_element(lhs) | is_nan_element(rhs));
}

fn is_equal(lhs: Element, rhs: Element) -> Element {
    return truth((place_in_order(lhs) == place_in_order(rhs)) & are_numbers(lhs, rhs));
}

fn is_unequal(lhs: Element, rhs: Element) -> Element {
    return truth((place_in_order(lhs) != place_in_order(rhs)) | !are_numbers(lhs, rhs));
}

fn is_less(lhs: Element, rhs: Element) -> Element {
    return truth((place_in_order(lhs) < place_in_order(rhs)) & are_numbers(lhs, rhs));
}

fn is_at_most(lhs: Element, rhs: Element) -> Element {
    return truth((place_in_order(lhs) <= place_in_order(rhs)) & are_numbers(lhs, rhs));
}

fn is_greater(lhs: Element, rhs: Element) -> Element {
    return is_less(rhs, lhs);
}

fn is_at_least(lhs: Element, rhs: Element) -> Element {
    return is_at_most(rhs, lhs);
}

// Everything but zero is true, NaN too.
fn chosen_of_two(condition: Element, lhs: Element, rhs: Element) -> Element {
    return select(lhs, rhs, is_zero(condition));
}

// The gradients by lhs and by rhs: dy where that one was chosen.
fn where_grad_lhs(condition: Element, dy: Element) -> Element {
    return select(dy, Element(0.0), is_zero(condition));
}

fn where_grad_rhs(condition: Element, dy: Element) -> Element {
    return select(Element(0.0), dy, is_zero(condition));
}
