//! uses element_bits, log_of
//
// Losses of one element, and their gradients by the first (grad) and the second argument (grad_target) times
// the loss's gradient g and a number: x is the prediction, t the target. Definitions are PyTorch's.

// -1, 0 or 1; 0 of NaN, as in PyTorch.
fn sign_of(d: Element) -> Element {
    return select(Element(0.0), Element(1.0), is_above_zero(d)) - select(Element(0.0), Element(1.0), is_below_zero(d));
}

// (x - t)^2
fn mse_loss(x: Element, t: Element) -> Element {
    let d = x - t;
    return d * d;
}

fn mse_loss_grad(x: Element, t: Element, g: Element, number: f32) -> Element {
    return 2.0 * (x - t) * (g * number);
}

fn mse_loss_grad_target(x: Element, t: Element, g: Element, number: f32) -> Element {
    return 2.0 * (t - x) * (g * number);
}

// |x - t|
fn l1_loss(x: Element, t: Element) -> Element {
    return abs(x - t);
}

fn l1_loss_grad(x: Element, t: Element, g: Element, number: f32) -> Element {
    return sign_of(x - t) * (g * number);
}

fn l1_loss_grad_target(x: Element, t: Element, g: Element, number: f32) -> Element {
    return sign_of(t - x) * (g * number);
}

// (x - t)^2 / (2 beta) within beta of the target, |x - t| - beta / 2 outside
fn smooth_l1_loss(x: Element, t: Element, beta: f32) -> Element {
    let d = abs(x - t);
    return select(d - 0.5 * beta, 0.5 * d * d / max(beta, 1e-38), d < Element(beta));
}

fn smooth_l1_loss_grad(x: Element, t: Element, g: Element, beta: f32, number: f32) -> Element {
    let d = x - t;
    var slope = sign_of(d);
    if (beta > 0.0) {
        slope = keep_nan(d, select(slope, d / max(beta, 1e-38), abs(d) < Element(beta)));
    }
    return slope * (g * number);
}

fn smooth_l1_loss_grad_target(x: Element, t: Element, g: Element, beta: f32, number: f32) -> Element {
    return smooth_l1_loss_grad(t, x, g, beta, number);
}

// (x - t)^2 / 2 within delta of the target, delta (|x - t| - delta / 2) outside
fn huber_loss(x: Element, t: Element, delta: f32) -> Element {
    let d = abs(x - t);
    return select(delta * (d - 0.5 * delta), 0.5 * d * d, d <= Element(delta));
}

fn huber_loss_grad(x: Element, t: Element, g: Element, delta: f32, number: f32) -> Element {
    let d = x - t;
    return keep_nan(d, clamp(d, Element(-delta), Element(delta))) * (g * number);
}

fn huber_loss_grad_target(x: Element, t: Element, g: Element, delta: f32, number: f32) -> Element {
    return huber_loss_grad(t, x, g, delta, number);
}

// log(1 + exp(-x)): max(-x, 0) + log(1 + e) with e = exp(-|x|), and the last as 2 atanh(e / (2 + e)) by its power
// series, which keeps the digits of a small e. e / (2 + e) is at most a third.
fn log_one_and_exp_of_minus(x: Element) -> Element {
    let e = exp(-abs(x));
    let s = e / (2.0 + e);
    let q = s * s;
    let series = 1.0 + q * (0.333333333 + q * (0.2 + q * (0.142857143 + q * (0.111111111 + q * (0.0909090909 + q * 0.0769230769)))));
    return max(-x, Element(0.0)) + 2.0 * s * series;
}

// 1 / (1 + exp(x)), without overflow
fn sigmoid_of_minus(x: Element) -> Element {
    let e = exp(-abs(x));
    return select(Element(1.0), e, x > Element(0.0)) / (1.0 + e);
}

// -(w t log(s) + (1 - t) log(1 - s)) with s = 1 / (1 + exp(-x)) and w the weight of positive targets
fn bce_loss(x: Element, t: Element, w: Element) -> Element {
    return (1.0 - t) * x + (1.0 + (w - 1.0) * t) * log_one_and_exp_of_minus(x);
}

fn bce_loss_grad(x: Element, t: Element, w: Element, g: Element, number: f32) -> Element {
    return ((1.0 - t) * sigmoid_of_minus(-x) - w * t * sigmoid_of_minus(x)) * (g * number);
}

fn bce_loss_grad_target(x: Element, t: Element, w: Element, g: Element, number: f32) -> Element {
    return ((w - 1.0) * log_one_and_exp_of_minus(x) - x) * (g * number);
}

fn bce_with_logits_loss(x: Element, t: Element) -> Element {
    return (1.0 - t) * x + log_one_and_exp_of_minus(x);
}

fn bce_with_logits_loss_grad(x: Element, t: Element, g: Element, number: f32) -> Element {
    return bce_loss_grad(x, t, Element(1.0), g, number);
}

fn bce_with_logits_loss_grad_target(x: Element, t: Element, g: Element, number: f32) -> Element {
    return -x * (g * number);
}

// log(t), and NaN unless t is above 0.
fn log_of_positive(t: Element) -> Element {
    return select(no_number(), log_of(t), is_above_zero(t));
}

// t log(t) - t x, where 0 log(0) is 0: x is a probability's logarithm, t a probability
fn kl_div_loss(x: Element, t: Element) -> Element {
    return select(t * log_of_positive(t), Element(0.0), is_zero(t)) - t * x;
}

fn kl_div_loss_grad(x: Element, t: Element, g: Element, number: f32) -> Element {
    return -t * (g * number);
}

// 0 where t is 0 and x is finite. Where g is 0 the logarithm counts for nothing, as in PyTorch.
fn kl_div_loss_grad_target(x: Element, t: Element, g: Element, number: f32) -> Element {
    let s = g * number;
    let by_log = select(log_of_positive(t) * s, Element(0.0), is_zero(s));
    let by_factor = select(s, no_number(), is_not_finite(t));
    let at_zero = select(Element(0.0), no_number(), is_not_finite(x));
    return select(by_log + by_factor - x * s, at_zero, is_zero(t));
}

// exp(t) (t - x): both are logarithms of probabilities
fn kl_div_log_loss(x: Element, t: Element) -> Element {
    return exp(t) * (t - x);
}

fn kl_div_log_loss_grad(x: Element, t: Element, g: Element, number: f32) -> Element {
    return -exp(t) * (g * number);
}

fn kl_div_log_loss_grad_target(x: Element, t: Element, g: Element, number: f32) -> Element {
    let s = g * number;
    return exp(t) * (t - x) * s + exp(t) * s;
}
