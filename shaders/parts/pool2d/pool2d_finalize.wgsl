//! uses element_1, pool2d_shape
//! fills finalize
//! hole pooled(sum: f32, window: Window) -> f32
//!     by pool2d_average, pool2d_weighted, pool2d_lp
//
// The sum over all parts of a window's taps, on its way to the result: `pooled` of the kind of pooling.
fn finalize(o: u32, sum: Element) -> Element {
    return pooled(sum, window_of(i32(o) / OUT_W % OUT_H, i32(o) % OUT_W));
}
