//! uses pool2d_weight
//! fills term, pooled, share
//! hole divisor(window: Window) -> f32
//!     by pool2d_weight_sum, pool2d_weight_kept
//
// The mean of a window with the weights of pool2d_weight; the divisor adds those of the taps that are
// counted (pool2d_weight_sum, pool2d_weight_kept).

fn term(value: f32, ky: i32, kx: i32) -> f32 {
    return weight(ky, kx) * value;
}

fn pooled(sum: f32, window: Window) -> f32 {
    return sum / divisor(window);
}

fn share(gradient: f32, i: u32, o: u32, down: Cover, right: Cover) -> f32 {
    return gradient * weight(down.tap, right.tap) / divisor(window_of(down.window, right.window));
}
