//! uses is_nan
//
// What is no tap's number: a window has fewer taps.
const NO_TAP: u32 = 0xffffffffu;

// Whether a later tap takes an earlier one's place: only a larger one does, or NaN.
fn goes_before(later: f32, earlier: f32) -> bool {
    return (later > earlier && !is_nan(earlier)) || is_nan(later);
}
