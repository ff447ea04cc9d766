//! fills windows
//
// Window i of n along a dimension of some size takes floor(i size / n) up to, but not with,
// ceil((i + 1) size / n).
const PADDING_H: i32 = 0;
const PADDING_W: i32 = 0;
const DILATION_H: i32 = 1;
const DILATION_W: i32 = 1;
const INSIDE: bool = true;

fn window_of(oy: i32, ox: i32) -> Window {
    let top = oy * IN_H / OUT_H;
    let left = ox * IN_W / OUT_W;
    let bottom = ((oy + 1) * IN_H + OUT_H - 1) / OUT_H;
    let right = ((ox + 1) * IN_W + OUT_W - 1) / OUT_W;
    return Window(top, left, bottom - top, right - left);
}

fn within(y: i32, x: i32) -> bool {
    return true;
}

// Windows that cover row y or column x, the last first.
fn cover_row(y: i32, back: i32) -> Cover {
    return cover(y, back, IN_H, OUT_H);
}

fn cover_column(x: i32, back: i32) -> Cover {
    return cover(x, back, IN_W, OUT_W);
}

// The last window that starts at or before `at` is the one that covers at + 1 from its start, or the
// one before; the first is the one whose end lies behind `at`.
fn cover(at: i32, back: i32, size: i32, windows: i32) -> Cover {
    let first = at * windows / size;
    let last = ((at + 1) * windows + size - 1) / size - 1;
    let window = max(last - back, 0);
    return Cover(window, at - window * size / windows, last - back >= first);
}
