//! Local response normalisation.

use crate::op::{Array, Reference};
use crate::ops::local_response_norm::{LocalResponseNorm, LocalResponseNormGrad};

/// y, and the base of the power that x is divided by.
impl Reference for LocalResponseNorm {
    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let x = inputs[0];
        let squares = window_sums(&x.map(|x| x.powi(2)), self.size / 2, (self.size - 1) / 2);
        let rate = f64::from(self.alpha) / self.size as f64;
        let scales = squares.map(|squares| f64::from(self.k) + rate * squares);
        let y = x.zip(&scales, |x, scale| x / scale.powf(f64::from(self.beta)));
        vec![y, scales]
    }
}

/// The gradient of x: each output's gradient by each element of its window.
impl Reference for LocalResponseNormGrad {
    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let LocalResponseNormGrad(operator) = self;
        let [x, gradient, scales] = [0, 1, 2].map(|i| inputs[i]);
        let beta = f64::from(operator.beta);
        let rate = f64::from(operator.alpha) / operator.size as f64;
        // By each scale, which an element of its window moves by 2 * rate * x. An element is in the windows of those
        // in whose window it is, turned round.
        let mut by_scale = gradient.zip(x, |gradient, x| -beta * gradient * x);
        by_scale = by_scale.zip(scales, |slope, scale| slope * scale.powf(-beta - 1.0));
        let by_scale = window_sums(&by_scale, (operator.size - 1) / 2, operator.size / 2);
        let mut grad_x = gradient.zip(scales, |gradient, scale| gradient * scale.powf(-beta));
        for (i, grad_x) in grad_x.data.iter_mut().enumerate() {
            *grad_x += by_scale.data[i] * 2.0 * rate * x.data[i];
        }
        vec![grad_x]
    }
}

/// For each element, the sum over the existing channels from `lower` before its own to `upper` behind it.
///
/// Channels are divided into blocks as long as a window. A window is then the end of one block and the beginning of
/// the next. Each of the two sums takes one addition per element, and contains nothing outside the window.
fn window_sums(terms: &Array, lower: usize, upper: usize) -> Array {
    let channels = terms.shape[1];
    let plane: usize = terms.shape[2..].iter().product();
    let (lower, upper) = (lower.min(channels), upper.min(channels));
    let block = lower + upper + 1;
    let mut sums = Array::zeros(terms.shape.clone());
    for start in (0..terms.shape[0]).flat_map(|n| (0..plane).map(move |p| n * channels * plane + p)) {
        let line: Vec<f64> = (0..channels).map(|c| terms.data[start + c * plane]).collect();
        let (mut from_start, mut to_end) = (line.clone(), line);
        for c in 1..channels {
            if !c.is_multiple_of(block) {
                from_start[c] += from_start[c - 1];
            }
            let back = channels - 1 - c;
            if !(back + 1).is_multiple_of(block) {
                to_end[back] += to_end[back + 1];
            }
        }
        for c in 0..channels {
            let (first, last) = (c.saturating_sub(lower), (c + upper).min(channels - 1));
            sums.data[start + c * plane] = if first / block < last / block {
                to_end[first] + from_start[last]
            } else if first.is_multiple_of(block) {
                from_start[last]
            } else {
                // Cut short by the last channel, within one block, which the last channel ends.
                to_end[first]
            };
        }
    }
    sums
}
