//! uses element
//
// An element of a tensor that is repeated along new or stretched dimensions.
fn repeated(x: Element) -> Element {
    return x;
}
