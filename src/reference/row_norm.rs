//! Normalisation of rows, element by element.

use crate::op::{Array, Reference};
use crate::ops::row_norm::{RowNorm, RowNormGrad, RowNormGradParameters, Rows};
use crate::tensor::Shape;

/// y; and for each row its first element, the mean minus that, and twice one over the standard deviation.
impl Reference for RowNorm {
    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let x = inputs[0];
        let parameter = |there: bool, i: usize, none: f64, at: usize| {
            if there { inputs[i].data[weight_of(self, &x.shape, at)] } else { none }
        };
        let normal = normal(self, x);
        let mut y = normal.clone();
        for (i, y) in y.data.iter_mut().enumerate() {
            let weight = parameter(self.weight, 1, 1.0, i);
            let bias = parameter(self.bias, 1 + usize::from(self.weight), 0.0, i);
            *y = *y * weight + bias;
        }
        let terms = terms(self, &x.shape);
        let statistics = x.data.chunks(terms).flat_map(|row| {
            let (mean, inverse) = moments(self, row);
            [row[0], mean - row[0], inverse, inverse]
        });
        let statistics = Array::new([x.data.len() / terms, 4], statistics.collect());
        vec![y, statistics]
    }
}

/// The gradient of x, by the chain rule through the mean and the variance of each row.
impl Reference for RowNormGrad {
    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let RowNormGrad(operator) = self;
        let [x, gradient, statistics] = [0, 1, 2].map(|i| inputs[i]);
        let terms = terms(operator, &x.shape);
        let mut grad_x = Array::zeros(x.shape.clone());
        for row in 0..x.data.len() / terms {
            let [first, rest, inverse] = [0, 1, 2].map(|i| statistics.data[4 * row + i]);
            let members = row * terms..(row + 1) * terms;
            let by_normal = |i: usize| {
                let weight =
                    if operator.weight { inputs[3].data[weight_of(operator, &x.shape, i)] } else { 1.0 };
                gradient.data[i] * weight
            };
            let centred = |i: usize| x.data[i] - (first + rest);
            let (mut by_var, mut by_mean) = (0.0, 0.0);
            for i in members.clone() {
                by_var += by_normal(i) * centred(i) * -0.5 * inverse.powi(3);
                by_mean -= by_normal(i) * inverse;
            }
            for i in members {
                let through_var = by_var * 2.0 * centred(i) / terms as f64;
                grad_x.data[i] = by_normal(i) * inverse + through_var + by_mean / terms as f64;
            }
        }
        vec![grad_x]
    }

    // The largest gradient if mean and variance were constants, before its mean and its part in x are subtracted.
    fn largest_sum_of_terms(&self, _output: usize, inputs: &[&Array]) -> Option<f64> {
        let RowNormGrad(operator) = self;
        let [x, gradient, statistics] = [0, 1, 2].map(|i| inputs[i]);
        let terms = terms(operator, &x.shape);
        let each = gradient.data.iter().enumerate().map(|(i, gradient)| {
            let weight = if operator.weight { inputs[3].data[weight_of(operator, &x.shape, i)] } else { 1.0 };
            (gradient * weight * statistics.data[4 * (i / terms) + 2]).abs()
        });
        Some(each.fold(0.0, f64::max))
    }
}

/// The gradients of weight and bias.
impl Reference for RowNormGradParameters {
    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let RowNormGradParameters(operator) = self;
        let [x, gradient, statistics] = [0, 1, 2].map(|i| inputs[i]);
        let terms = terms(operator, &x.shape);
        let mut weighted = gradient.clone();
        for (i, term) in weighted.data.iter_mut().enumerate() {
            let [first, rest, inverse] = [0, 1, 2].map(|j| statistics.data[4 * (i / terms) + j]);
            *term *= (x.data[i] - (first + rest)) * inverse;
        }
        vec![sum_by_weight(operator, &weighted), sum_by_weight(operator, gradient)]
    }

    // The gradient alone for the bias, and times the distance of x from its mean for the weight.
    fn largest_sum_of_terms(&self, output: usize, inputs: &[&Array]) -> Option<f64> {
        let apart = if output == 0 { normal(&self.0, inputs[0]) } else { inputs[0].map(|_| 1.0) };
        let terms = inputs[1].zip(&apart, |gradient, apart| (gradient * apart).abs());
        Some(sum_by_weight(&self.0, &terms).largest())
    }
}

/// x minus its row's mean, divided by its row's standard deviation.
fn normal(operator: &RowNorm, x: &Array) -> Array {
    let rows = x.data.chunks(terms(operator, &x.shape)).flat_map(|row| {
        let (mean, inverse) = moments(operator, row);
        row.iter().map(move |x| (x - mean) * inverse)
    });
    Array::new(x.shape.clone(), rows.collect())
}

/// The sum over elements that share a weight.
fn sum_by_weight(operator: &RowNorm, terms: &Array) -> Array {
    let mut sums = Array::zeros(match &operator.rows {
        Rows::Layer { normalized_shape } => normalized_shape.clone(),
        _ => Shape::from([terms.shape[1]]),
    });
    for (i, term) in terms.data.iter().enumerate() {
        sums.data[weight_of(operator, &terms.shape, i)] += term;
    }
    sums
}

/// Mean, and one over the standard deviation.
fn moments(operator: &RowNorm, row: &[f64]) -> (f64, f64) {
    let mean = row.iter().sum::<f64>() / row.len() as f64;
    let variance = row.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / row.len() as f64;
    (mean, 1.0 / (variance + f64::from(operator.eps)).sqrt())
}

/// Elements of a row.
fn terms(operator: &RowNorm, shape: &Shape) -> usize {
    match &operator.rows {
        Rows::Layer { normalized_shape } => normalized_shape.elements(),
        Rows::Group { groups } => shape[1] / groups * shape[2..].iter().product::<usize>(),
        Rows::Instance => shape[2..].iter().product(),
    }
}

/// Which weight element `i` has.
fn weight_of(operator: &RowNorm, shape: &Shape, i: usize) -> usize {
    match &operator.rows {
        Rows::Layer { normalized_shape } => i % normalized_shape.elements(),
        _ => i / shape[2..].iter().product::<usize>() % shape[1],
    }
}
