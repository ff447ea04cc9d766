// Batch normalisation by running statistics.
fn batch_norm_eval(x: Element, weight: Element, bias: Element, mean: Element, variance: Element, epsilon: f32) -> Element {
    return (x - mean) * (weight * inverseSqrt(variance + epsilon)) + bias;
}
