//! fills divisor
//
// What a weighted mean is divided by, added up.

// All weights of a window together.
const TOTAL: f32 = 2.3431458; // shape

fn divisor(window: Window) -> f32 {
    if (INSIDE) {
        return TOTAL;
    }
    let taps = counted_taps(window);
    if ((taps.end_y - taps.first_y) * (taps.end_x - taps.first_x) == KERNEL_H * KERNEL_W) {
        return TOTAL;
    }
    var total = 0.0;
    for (var ky = taps.first_y; ky < taps.end_y; ky++) {
        for (var kx = taps.first_x; kx < taps.end_x; kx++) {
            total += weight(ky, kx);
        }
    }
    return total;
}
