//! fills term, pooled, share
//
// The mean of a window: the divisor counts its taps in the padded input, or in the input alone, or is
// given.
const COUNT_INCLUDE_PAD: bool = true; // shape
// The divisor that is given, or zero.
const DIVISOR: f32 = 0.0; // shape

fn term(value: f32, ky: i32, kx: i32) -> f32 {
    return value;
}

fn pooled(sum: f32, window: Window) -> f32 {
    return sum / divisor(window);
}

fn share(gradient: f32, i: u32, o: u32, down: Cover, right: Cover) -> f32 {
    return gradient / divisor(window_of(down.window, right.window));
}

fn divisor(window: Window) -> f32 {
    if (DIVISOR != 0.0) {
        return DIVISOR;
    }
    if (INSIDE) {
        return f32(window.rows * window.columns);
    }
    let border_h = select(0, PADDING_H, COUNT_INCLUDE_PAD);
    let border_w = select(0, PADDING_W, COUNT_INCLUDE_PAD);
    let rows = min(window.top + window.rows, IN_H + border_h) - max(window.top, -border_h);
    let columns = min(window.left + window.columns, IN_W + border_w) - max(window.left, -border_w);
    return f32(rows * columns);
}
