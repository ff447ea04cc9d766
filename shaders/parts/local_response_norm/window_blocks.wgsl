//! uses element, range_sum
//! fills window_sum
//
// A window too wide for one invocation, added by blocks (range_sum).
fn window_sum(i: u32, below: u32, above: u32) -> Element {
    let c = i / PLANE % LENGTH;
    return range_sum(i / (PLANE * LENGTH), i % PLANE, c - below, c + above + 1u);
}
