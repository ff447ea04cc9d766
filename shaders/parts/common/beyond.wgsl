//! uses is_nan
//
// Whether a comes before b wherever in a row they are: the larger, or with SMALLEST the smaller; NaN comes before all
// numbers.
const SMALLEST: bool = false; // shape

fn beyond(a: f32, b: f32) -> bool {
    let further = select(a > b, a < b, SMALLEST);
    return !is_nan(b) && (further || is_nan(a));
}
