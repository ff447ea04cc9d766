//! uses element
//
// Batch normalisation by running statistics, which are constants: with and without weight and bias, and the
// gradient of x.
fn batch_norm_eval(x: Element, weight: Element, bias: Element, mean: Element, variance: Element, epsilon: f32) -> Element {
    return (x - mean) * (weight * inverseSqrt(variance + epsilon)) + bias;
}

fn batch_norm_eval_plain(x: Element, mean: Element, variance: Element, epsilon: f32) -> Element {
    return (x - mean) * inverseSqrt(variance + epsilon);
}

fn batch_norm_eval_grad(gradient: Element, weight: Element, variance: Element, epsilon: f32) -> Element {
    return gradient * (weight * inverseSqrt(variance + epsilon));
}

fn batch_norm_eval_grad_plain(gradient: Element, variance: Element, epsilon: f32) -> Element {
    return gradient * inverseSqrt(variance + epsilon);
}
