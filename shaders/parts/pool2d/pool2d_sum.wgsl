//! uses element, pool2d_shape
//! fills made
//! hole term(value: f32, ky: i32, kx: i32) -> f32
//!     by pool2d_average, pool2d_weighted, pool2d_lp
//! hole pooled(sum: f32, window: Window) -> f32
//!     by pool2d_average, pool2d_weighted, pool2d_lp
//
// y[n,c,oy,ox] = pooled(sum of term(tap) over the window's taps in the input).
//
// Layouts NCHW. The taps are added in row-major order. pool2d_average, pool2d_weighted and pool2d_lp say what a tap
// gives and what becomes of the sum.
@group(0) @binding(0) var<storage, read> source: array<f32>;

fn made(o: u32) -> Element {
    let window = window_of(i32(o) / OUT_W % OUT_H, i32(o) % OUT_W);
    let plane = i32(o) / (OUT_H * OUT_W) * (IN_H * IN_W);
    var sum = 0.0;
    for (var ky = 0; ky < window.rows; ky++) {
        let y = window.top + ky * DILATION_H;
        for (var kx = 0; kx < window.columns; kx++) {
            let x = window.left + kx * DILATION_W;
            sum += select(0.0, term(source[place(plane, y, x)], ky, kx), within(y, x));
        }
    }
    return pooled(sum, window);
}
