//! uses element, line
//! fills window_sum
//
// A window of few channels, added in their order.
fn window_sum(i: u32, below: u32, above: u32) -> Element {
    let last = i + above * PLANE;
    var sum = Element(0.0);
    for (var at = i - below * PLANE; at <= last; at += PLANE) {
        sum += line_at(at);
    }
    return sum;
}
