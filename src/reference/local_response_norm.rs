//! Local response normalisation, element by element.

use super::Array;
use crate::ops::local_response_norm::LocalResponseNorm;
use crate::tensor::Shape;

/// y, and the base of the power that x is divided by.
pub fn local_response_norm(operator: &LocalResponseNorm, x: &Array) -> Vec<Array> {
    let mut scales = Array::zeros(x.shape.clone());
    for i in 0..x.data.len() {
        let squares: f64 = window(operator, &x.shape, i).iter().map(|&j| x.data[j].powi(2)).sum();
        scales.data[i] = f64::from(operator.k) + f64::from(operator.alpha) / operator.size as f64 * squares;
    }
    let y = x.zip(&scales, |x, scale| x / scale.powf(f64::from(operator.beta)));
    vec![y, scales]
}

/// The gradient of x: each output's by each element of its window.
pub fn local_response_norm_grad(
    operator: &LocalResponseNorm,
    x: &Array,
    gradient: &Array,
    scales: &Array,
) -> Array {
    let beta = f64::from(operator.beta);
    let rate = f64::from(operator.alpha) / operator.size as f64;
    let mut grad_x = Array::zeros(x.shape.clone());
    for i in 0..x.data.len() {
        grad_x.data[i] += gradient.data[i] * scales.data[i].powf(-beta);
        // By the scale, which each element of the window moves by 2 * rate * x.
        let by_scale = -beta * gradient.data[i] * x.data[i] * scales.data[i].powf(-beta - 1.0);
        for j in window(operator, &x.shape, i) {
            grad_x.data[j] += by_scale * 2.0 * rate * x.data[j];
        }
    }
    grad_x
}

/// Flat indices of the elements in the window of element `i`.
fn window(operator: &LocalResponseNorm, shape: &Shape, i: usize) -> Vec<usize> {
    let plane: usize = shape[2..].iter().product();
    let c = i / plane % shape[1];
    let first = c.saturating_sub(operator.size / 2);
    let last = c.saturating_add((operator.size - 1) / 2).min(shape[1] - 1);
    (first..=last).map(|j| i - c * plane + j * plane).collect()
}
