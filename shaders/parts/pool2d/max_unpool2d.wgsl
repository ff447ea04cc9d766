//! uses element, pool2d_shape
//! fills made
//! hole last_winner(plane: i32, y: i32, x: i32) -> i32
//!     by pool2d_last_winner, pool2d_last_kept
//
// y[n,c,y,x] = source[n,c,oy,ox] of the last window (oy,ox) in which (y,x) won, and zero where there is none.
// Layouts NCHW.
@group(0) @binding(0) var<storage, read> source: array<f32>;

fn made(i: u32) -> Element {
    let plane = i32(i) / (IN_H * IN_W) * (OUT_H * OUT_W);
    let o = last_winner(plane, i32(i) / IN_W % IN_H, i32(i) % IN_W);
    return select(0.0, source[max(o, 0)], o >= 0);
}
