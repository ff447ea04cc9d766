//! uses element_bits
//
// gelu(x) = x Phi(x), Phi being the normal distribution's integral, and its form by tanh. Both are
// max(x, 0) - |x| q(|x|), where q(a) falls from 1/2 to 0: no difference of nearly equal numbers, in
// either tail. Their slopes are r(|x|) on the negative side and 1 - r(|x|) on the positive one.

// Past this q is zero in f32, and what it multiplies stays finite.
const FAR: f32 = 20.0;

// Q(a) / exp(-a^2 / 2), for a >= 0, where Q(a) = erfc(a / sqrt(2)) / 2. The form is that of Abramowitz and
// Stegun, Handbook of Mathematical Functions, 7.1.26: exp times a polynomial in t = 1 / (1 + p a), here
// of nine terms found by Remez exchange for the relative error, below 5e-8 up to a = 15.
fn normal_tail_over_exp(a: Element) -> Element {
    let t = 1.0 / (1.0 + 0.27 * a);
    return t * (0.107721004 + t * (0.107537272 + t * (0.10184856 + t * (0.0719083361 + t * (0.108142531
        + t * (-0.0696506263 + t * (0.170156084 + t * (-0.126658653 + t * 0.0289955034))))))));
}

fn gelu(x: Element) -> Element {
    let a = min(abs(x), Element(FAR));
    return as_a_product(x, max(x, Element(0.0)) - a * (exp(-0.5 * a * a) * normal_tail_over_exp(a)));
}

// Phi(x) + x phi(x), phi(x) = exp(-x^2 / 2) / sqrt(2 pi).
fn gelu_grad(x: Element, dy: Element) -> Element {
    let a = min(abs(x), Element(FAR));
    let r = exp(-0.5 * a * a) * (normal_tail_over_exp(a) - 0.398942280 * a);
    return dy * slope_as_of_a_product(x, select(r, 1.0 - r, x > Element(0.0)));
}

// exp(-2 u), u = sqrt(2 / pi) (a + 0.044715 a^3): (1 + tanh(-u)) / 2 is e / (1 + e).
fn gelu_tanh_exp(a: Element) -> Element {
    return exp(-1.59576912 * (a + 0.044715 * a * a * a));
}

fn gelu_tanh(x: Element) -> Element {
    let a = min(abs(x), Element(FAR));
    let e = gelu_tanh_exp(a);
    return as_a_product(x, max(x, Element(0.0)) - a * (e / (1.0 + e)));
}

fn gelu_tanh_grad(x: Element, dy: Element) -> Element {
    let a = min(abs(x), Element(FAR));
    let e = gelu_tanh_exp(a);
    let q = e / (1.0 + e);
    let r = q * (1.0 - a * (1.59576912 + 0.214064449 * a * a) / (1.0 + e));
    return dy * slope_as_of_a_product(x, select(r, 1.0 - r, x > Element(0.0)));
}

// The error function: x times a polynomial in x^2 near zero, found by least squares for the relative error, below 6e-8;
// further out 1 - 2 Q(sqrt(2) |x|), with x's sign. Past 4 it is 1 in f32.
fn error_function(x: Element) -> Element {
    let a = min(abs(x), Element(4.0));
    let u = a * a;
    let near = x * (1.12837911 + u * (-0.376126081 + u * (0.112828344 + u * (-0.0267579444 + u * 0.00471950555))));
    let far = 1.0 - 2.0 * exp(-u) * normal_tail_over_exp(1.41421356 * a);
    return keep_nan(x, select(select(far, -far, x < Element(0.0)), near, a < Element(0.5)));
}

// 2 / sqrt(pi) exp(-x^2)
fn erf_grad(x: Element, dy: Element) -> Element {
    let a = min(abs(x), Element(FAR));
    return dy * keep_nan(x, 1.12837917 * exp(-a * a));
}
