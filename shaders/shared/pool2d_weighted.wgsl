// The mean of a window with weights 1 / (1 + d), where d is a tap's distance from the middle of the
// window; the divisor adds the weights of the taps in the padded input, or in the input alone. Needs
// shared/pool2d_sliding.
const COUNT_INCLUDE_PAD: bool = true; // shape
// All weights of a window together.
const TOTAL: f32 = 2.3431458; // shape

fn weight(ky: i32, kx: i32) -> f32 {
    let down = f32(ky) - 0.5 * f32(KERNEL_H - 1);
    let right = f32(kx) - 0.5 * f32(KERNEL_W - 1);
    return 1.0 / (1.0 + sqrt(down * down + right * right));
}

fn term(value: f32, ky: i32, kx: i32) -> f32 {
    return weight(ky, kx) * value;
}

fn settle(sum: f32, window: Window) -> f32 {
    return sum / divisor(window);
}

fn share(gradient: f32, i: u32, o: u32, down: Cover, right: Cover) -> f32 {
    return gradient * weight(down.tap, right.tap) / divisor(window_of(down.window, right.window));
}

fn divisor(window: Window) -> f32 {
    if (INSIDE) {
        return TOTAL;
    }
    let border_h = select(0, PADDING_H, COUNT_INCLUDE_PAD);
    let border_w = select(0, PADDING_W, COUNT_INCLUDE_PAD);
    let first_y = max(-border_h - window.top, 0);
    let first_x = max(-border_w - window.left, 0);
    let end_y = min(IN_H + border_h - window.top, KERNEL_H);
    let end_x = min(IN_W + border_w - window.left, KERNEL_W);
    if ((end_y - first_y) * (end_x - first_x) == KERNEL_H * KERNEL_W) {
        return TOTAL;
    }
    var total = 0.0;
    for (var ky = first_y; ky < end_y; ky++) {
        for (var kx = first_x; kx < end_x; kx++) {
            total += weight(ky, kx);
        }
    }
    return total;
}
