//! uses is_nan
//! fills term, pooled
//
// The p-norm of a window: (SCALE sum of power(x))^(1/p), where power(x) is x^p for an odd whole p and
// |x|^p for any other. SCALE is the kernel's size over the number of the window's taps in the input.
const P: f32 = 2.0; // shape
// p where it is a small whole number, and zero otherwise: the powers are products then.
const WHOLE: u32 = 2u; // shape
const ODD: bool = false; // shape

// magnitude^exponent, where whole counts the factors unless p is none.
fn power(magnitude: f32, exponent: f32, whole: u32) -> f32 {
    if (WHOLE != 0u) {
        var product = 1.0;
        for (var factor = 0u; factor < whole; factor++) {
            product *= magnitude;
        }
        return product;
    }
    // Of zero pow makes no number everywhere, and of a negative exponent no number anywhere.
    return select(select(0.0, pow(magnitude, exponent), magnitude > 0.0), magnitude, is_nan(magnitude));
}

fn term(value: f32, ky: i32, kx: i32) -> f32 {
    let size = power(abs(value), P, WHOLE);
    return select(size, -size, ODD && value < 0.0);
}

fn pooled(sum: f32, window: Window) -> f32 {
    let scaled = abs(sum) * scale(window);
    var root = scaled;
    if (WHOLE == 2u) {
        root = sqrt(scaled);
    } else if (WHOLE != 1u) {
        root = select(select(0.0, pow(scaled, 1.0 / P), scaled > 0.0), scaled, is_nan(scaled));
    }
    return select(root, -root, sum < 0.0);
}

fn scale(window: Window) -> f32 {
    if (INSIDE) {
        return 1.0;
    }
    let rows = min(window.top + KERNEL_H, IN_H) - window.top;
    let columns = min(window.left + KERNEL_W, IN_W) - window.left;
    return f32(KERNEL_H * KERNEL_W) / f32(rows * columns);
}
