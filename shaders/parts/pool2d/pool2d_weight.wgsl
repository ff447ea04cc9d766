//! uses pool2d_shape
//
// Weights 1 / (1 + d) of a window's taps, where d is a tap's distance from the middle of the window, and which
// of them a mean counts: those in the padded input, or in the input alone. For sliding windows.
const COUNT_INCLUDE_PAD: bool = true; // shape

fn weight(ky: i32, kx: i32) -> f32 {
    let down = f32(ky) - 0.5 * f32(KERNEL_H - 1);
    let right = f32(kx) - 0.5 * f32(KERNEL_W - 1);
    return 1.0 / (1.0 + sqrt(down * down + right * right));
}

// Taps of a window: rows first_y up to, but not with, end_y, and columns likewise.
struct Taps {
    first_y: i32,
    first_x: i32,
    end_y: i32,
    end_x: i32,
}

fn counted_taps(window: Window) -> Taps {
    let border_h = select(0, PADDING_H, COUNT_INCLUDE_PAD);
    let border_w = select(0, PADDING_W, COUNT_INCLUDE_PAD);
    let first_y = max(-border_h - window.top, 0);
    let first_x = max(-border_w - window.left, 0);
    let end_y = min(IN_H + border_h - window.top, KERNEL_H);
    let end_x = min(IN_W + border_w - window.left, KERNEL_W);
    return Taps(first_y, first_x, end_y, end_x);
}
