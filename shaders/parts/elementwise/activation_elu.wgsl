//! uses element_bits
//
// elu(x) = scale * x for x > 0, else scale * alpha * (exp(x) - 1). SELU is one with numbers of its own.

// exp(x) - 1 for x <= 0; near zero, where the subtraction would cancel, its power series up to x^9.
fn exp_minus_one(x: Element) -> Element {
    let s = max(x, Element(-0.5));
    let series = s * (1.0 + s * (0.5 + s * (0.166666667 + s * (0.0416666667 + s * (0.00833333333
        + s * (0.00138888889 + s * (0.000198412698 + s * (0.0000248015873 + s * 0.00000275573192))))))));
    return select(exp(x) - 1.0, series, x > Element(-0.5));
}

fn elu(x: Element, alpha: f32, scale: f32) -> Element {
    let below = scale * alpha * exp_minus_one(min(x, Element(0.0)));
    return keep_nan(x, select(below, scale * x, is_above_zero(x)));
}

// From the output: exp(x) is y / (scale * alpha) + 1. Needs alpha >= 0, so that signs agree.
fn elu_grad(y: Element, dy: Element, alpha: f32, scale: f32) -> Element {
    return dy * select(y + scale * alpha, Element(scale), is_above_zero(y));
}

// From the input, for any alpha.
fn elu_grad_of_input(x: Element, dy: Element, alpha: f32, scale: f32) -> Element {
    let below = keep_nan(x, scale * alpha * exp(min(x, Element(0.0))));
    return dy * select(below, Element(scale), is_above_zero(x));
}
