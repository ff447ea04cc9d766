//! Softmax, its logarithm and their gradients, row by row.

use crate::op::{Array, Reference};
use crate::ops::softmax::{Softmax, SoftmaxGrad};

/// The forward operator.
impl Reference for Softmax {
    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let x = inputs[0];
        let mut y = x.clone();
        for row in rows(x, self.axis) {
            let maximum = row.iter().map(|&i| x.data[i]).fold(f64::NEG_INFINITY, f64::max);
            let sum: f64 = row.iter().map(|&i| (x.data[i] - maximum).exp()).sum();
            for &i in &row {
                let log = x.data[i] - maximum - sum.ln();
                y.data[i] = if self.log { log } else { log.exp() };
            }
        }
        vec![y]
    }
}

/// The gradient of the input, from the output `y` and its gradient.
impl Reference for SoftmaxGrad {
    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let [y, dy] = [inputs[0], inputs[1]];
        let mut dx = y.clone();
        for row in rows(y, self.forward.axis) {
            // The Jacobian is a diagonal minus an outer product, so all elements of a row share one sum.
            let weight = |j: usize| if self.forward.log { 1.0 } else { y.data[j] };
            let sum: f64 = row.iter().map(|&j| dy.data[j] * weight(j)).sum();
            for &k in &row {
                dx.data[k] = if self.forward.log {
                    dy.data[k] - y.data[k].exp() * sum
                } else {
                    y.data[k] * (dy.data[k] - sum)
                };
            }
        }
        vec![dx]
    }

    // The gradient of an element adds its own gradient and the row's, which cancel if all gradients of a row are
    // equal.
    fn largest_sum_of_terms(&self, _output: usize, inputs: &[&Array]) -> Option<f64> {
        let [y, dy] = [inputs[0], inputs[1]];
        let mut largest = 0.0f64;
        for row in rows(y, self.forward.axis) {
            let share = |j: usize| if self.forward.log { y.data[j].exp() } else { y.data[j].abs() };
            let weight = |j: usize| if self.forward.log { 1.0 } else { share(j) };
            let sum: f64 = row.iter().map(|&j| dy.data[j].abs() * weight(j)).sum();
            let terms = row.iter().map(|&k| weight(k) * dy.data[k].abs() + share(k) * sum);
            largest = terms.filter(|terms| terms.is_finite()).fold(largest, f64::max);
        }
        Some(largest)
    }
}

/// Flat indices of each row along `axis`.
fn rows(x: &Array, axis: usize) -> Vec<Vec<usize>> {
    let stride: usize = x.shape[axis + 1..].iter().product();
    let first = |i: &usize| (i / stride).is_multiple_of(x.shape[axis]);
    let starts = (0..x.data.len()).filter(first);
    starts.map(|start| (0..x.shape[axis]).map(|k| start + k * stride).collect()).collect()
}
