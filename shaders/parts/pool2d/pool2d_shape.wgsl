//! hole windows
//!     window_of(oy: i32, ox: i32) -> Window
//!     within(y: i32, x: i32) -> bool
//!     cover_row(y: i32, back: i32) -> Cover
//!     cover_column(x: i32, back: i32) -> Cover
//!     by pool2d_sliding, pool2d_adaptive
//
// A pooling: planes of IN_H x IN_W, in each of which lie OUT_H x OUT_W windows of at most
// KERNEL_H x KERNEL_W taps. Where they lie say pool2d_sliding and pool2d_adaptive.
const IN_H: i32 = 8; // shape
const IN_W: i32 = 8; // shape
const OUT_H: i32 = 4; // shape
const OUT_W: i32 = 4; // shape
const KERNEL_H: i32 = 2; // shape
const KERNEL_W: i32 = 2; // shape
// Windows that can cover one element along each dimension.
const COVERS_H: i32 = 1; // shape
const COVERS_W: i32 = 1; // shape

// Row and column of the first tap, which may lie before the plane, and the taps along each dimension.
struct Window {
    top: i32,
    left: i32,
    rows: i32,
    columns: i32,
}

// A window that may cover an element, along one dimension: its number, always one that there is; which
// of its taps the element is; whether it is one.
struct Cover {
    window: i32,
    tap: i32,
    hits: bool,
}

// The place of a row or column in the plane. Taps outside are clamped and left out afterwards, which
// costs less than branches around loads.
fn place(plane: i32, y: i32, x: i32) -> i32 {
    return plane + clamp(y, 0, IN_H - 1) * IN_W + clamp(x, 0, IN_W - 1);
}
