//! uses element_bits
//
// Activations of straight pieces. Slopes at the corners are PyTorch's: those of the flat side for the
// hard sigmoid and tanh, those of the outer sides for the hard swish.

// (x + 3) / 6 between 0 and 1; the upper half from above, so that it is 1 for no x below 3. Near both ends the sum
// cancels exactly. The maximum keeps a compiler from dividing its terms instead.
fn hard_sigmoid(x: Element) -> Element {
    let rising = max(x + 3.0, Element(0.0)) / 6.0;
    let missing = max(3.0 - x, Element(0.0)) / 6.0;
    return keep_nan(x, select(rising, 1.0 - missing, x > Element(0.0)));
}

fn hard_sigmoid_grad(y: Element, dy: Element) -> Element {
    return select(Element(0.0), dy / 6.0, is_above_zero(y) & (y < Element(1.0)));
}

fn hard_swish(x: Element) -> Element {
    let y = max(x, Element(-3.0)) * hard_sigmoid(x);
    // PyTorch multiplies minus infinity by 0.
    return select(keep_nan(x, y), no_number(), is_minus_infinity(x));
}

fn hard_swish_grad(x: Element, dy: Element) -> Element {
    let inner = dy * (x / 3.0 + 0.5);
    return keep_nan(x, select(select(inner, Element(0.0), x <= Element(-3.0)), dy, x >= Element(3.0)));
}

fn hard_tanh(x: Element, low: f32, high: f32) -> Element {
    return keep_nan(x, min(max(x, Element(low)), Element(high)));
}

fn hard_tanh_grad(y: Element, dy: Element, low: f32, high: f32) -> Element {
    return select(Element(0.0), dy, (y > Element(low)) & (y < Element(high)) & !is_nan_element(y));
}
