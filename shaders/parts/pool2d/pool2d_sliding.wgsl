//! fills windows
//
// Windows one STRIDE apart over a padded plane, their taps one DILATION apart.
const STRIDE_H: i32 = 2; // shape
const STRIDE_W: i32 = 2; // shape
const PADDING_H: i32 = 0; // shape
const PADDING_W: i32 = 0; // shape
const DILATION_H: i32 = 1; // shape
const DILATION_W: i32 = 1; // shape
// Whether every tap of every window lies in the plane.
const INSIDE: bool = true; // shape

fn window_of(oy: i32, ox: i32) -> Window {
    return Window(oy * STRIDE_H - PADDING_H, ox * STRIDE_W - PADDING_W, KERNEL_H, KERNEL_W);
}

fn within(y: i32, x: i32) -> bool {
    return INSIDE || (y >= 0 && y < IN_H && x >= 0 && x < IN_W);
}

// Windows that cover row y or column x, the last first.
fn cover_row(y: i32, back: i32) -> Cover {
    return cover(y + PADDING_H, back, STRIDE_H, DILATION_H, KERNEL_H, OUT_H);
}

fn cover_column(x: i32, back: i32) -> Cover {
    return cover(x + PADDING_W, back, STRIDE_W, DILATION_W, KERNEL_W, OUT_W);
}

fn cover(at: i32, back: i32, stride: i32, dilation: i32, kernel: i32, windows: i32) -> Cover {
    let window = i32(u32(at) / u32(stride)) - back;
    let offset = at - window * stride;
    let tap = i32(u32(offset) / u32(dilation));
    let hits = window >= 0 && window < windows && tap < kernel && tap * dilation == offset;
    return Cover(clamp(window, 0, windows - 1), tap, hits);
}
