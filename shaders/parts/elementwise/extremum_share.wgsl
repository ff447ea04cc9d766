//! uses element_bits
//
// What an element gets of the gradient of the largest or smallest: those that equal it share. Where it is NaN none
// equals it, and all get NaN.
fn extremum_share(x: Element, extremum: Element, count: Element, dy: Element) -> Element {
    return keep_nan(extremum, select(Element(0.0), Element(1.0), x == extremum) * dy / count);
}
