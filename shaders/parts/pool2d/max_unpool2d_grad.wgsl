//! uses element, pool2d_shape, pool2d_winner
//! fills made
//! hole last_winner(plane: i32, y: i32, x: i32) -> i32
//!     by pool2d_last_winner, pool2d_last_kept
//
// dx[n,c,oy,ox] = gradient of the element that won in the window (oy,ox), where it took its value from
// that window, and zero otherwise. Layouts NCHW.
@group(0) @binding(0) var<storage, read> gradient: array<f32>;

fn made(i: u32) -> Element {
    let o = i32(i);
    let number = o / (OUT_H * OUT_W);
    let window = window_of(o / OUT_W % OUT_H, o % OUT_W);
    let tap = winner(i);
    let y = window.top + tap / KERNEL_W * DILATION_H;
    let x = window.left + tap % KERNEL_W * DILATION_W;
    // What won may lie outside where the plane is smaller than the one that was pooled.
    let there = y >= 0 && y < IN_H && x >= 0 && x < IN_W;
    let row = clamp(y, 0, IN_H - 1);
    let column = clamp(x, 0, IN_W - 1);
    let last = last_winner(number * (OUT_H * OUT_W), row, column);
    let element = place(number * (IN_H * IN_W), row, column);
    return select(0.0, gradient[element], there && last == o);
}
