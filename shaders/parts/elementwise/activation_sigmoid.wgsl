//! uses element_bits
//
// The logistic function and what is made of it. Each takes exp(-|x|), which is never above 1.

// Past this exp(-|x|) is zero in f32, and what it multiplies stays finite.
const SIGMOID_FAR: f32 = 200.0;

fn sigmoid(x: Element) -> Element {
    let e = exp(-abs(x));
    return select(e, Element(1.0), x >= Element(0.0)) / (1.0 + e);
}

fn sigmoid_grad(y: Element, dy: Element) -> Element {
    return dy * y * (1.0 - y);
}

// x sigmoid(x), of minus infinity NaN as in PyTorch. Its slope is r on the negative side, 1 - r on the positive.
fn silu(x: Element) -> Element {
    return x * sigmoid(x);
}

fn silu_grad(x: Element, dy: Element) -> Element {
    let a = min(abs(x), Element(SIGMOID_FAR));
    let e = exp(-a);
    let r = e / (1.0 + e) * (1.0 - a / (1.0 + e));
    return dy * slope_as_of_a_product(x, select(r, 1.0 - r, x > Element(0.0)));
}

// tanh(log(1 + exp(x))) = n / d with n = w (w + 2), d = n + 2, w = exp(x); for x > 0 both over w^2.
// Their difference is d - n = 2, over w^2 for x > 0.
fn mish_parts(x: Element) -> array<Element, 2> {
    let e = exp(-min(abs(x), Element(SIGMOID_FAR)));
    let n = select(e * (e + 2.0), 1.0 + 2.0 * e, x > Element(0.0));
    let gap = select(Element(2.0), 2.0 * e * e, x > Element(0.0));
    return array<Element, 2>(n, gap);
}

fn mish(x: Element) -> Element {
    let parts = mish_parts(x);
    return x * (parts[0] / (parts[0] + parts[1]));
}

// t + x sigmoid(x) (1 - t) (1 + t), where t is the tanh.
fn mish_grad(x: Element, dy: Element) -> Element {
    let parts = mish_parts(x);
    let d = parts[0] + parts[1];
    let t = parts[0] / d;
    let near = clamp(x, Element(-SIGMOID_FAR), Element(SIGMOID_FAR));
    return dy * slope_as_of_a_product(x, t + near * sigmoid(near) * (parts[1] / d) * (1.0 + t));
}

// log(1 + r) for r from 0 to 1: 2 atanh(r / (2 + r)) by its power series.
fn log_of_one_plus(r: Element) -> Element {
    let s = r / (2.0 + r);
    let q = s * s;
    return 2.0 * s * (1.0 + q * (0.333333333 + q * (0.2 + q * (0.142857143 + q * (0.111111111
        + q * (0.0909090909 + q * 0.0769230769))))));
}

// log(1 + exp(beta x)) / beta, and x itself where beta x is above the threshold.
fn softplus(x: Element, beta: f32, threshold: f32) -> Element {
    let z = beta * x;
    let y = (max(z, Element(0.0)) + log_of_one_plus(exp(-abs(z)))) / beta;
    return select(y, x, z > Element(threshold));
}

fn softplus_grad(x: Element, dy: Element, beta: f32, threshold: f32) -> Element {
    let z = beta * x;
    return dy * keep_nan(z, select(sigmoid(z), Element(1.0), z > Element(threshold)));
}
