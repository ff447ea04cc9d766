//! uses element, corners_from_pairs
//! fills made
//
// avg_pool2d for 2x2 windows that tile the input, four outputs at a time. Rows are added, then their halves.
fn made(word: u32) -> Element {
    let own = corners_of(word);
    return 0.25 * ((own.a + own.c) + (own.b + own.d));
}
