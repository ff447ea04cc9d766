//! Reductions over axes: the elements of each output are gathered, then reduced.

use super::{coordinates, element};
use crate::op::{Array, Reference};
use crate::ops::reduce::{Axes, Function, Reduce, Variance};
use crate::ops::reduce::{EqualCount, ExtremumShare};
use crate::tensor::Shape;

/// Sum, mean, the largest or the smallest.
pub fn reduce(attributes: &Reduce, x: &Array) -> Array {
    per_output(&attributes.axes, x, |terms| match attributes.function {
        Function::Sum => terms.iter().sum(),
        Function::Mean => terms.iter().sum::<f64>() / terms.len() as f64,
        Function::Max => extremum(terms, |x, most| x > most),
        Function::Min => extremum(terms, |x, least| x < least),
    })
}

/// The variance.
pub fn variance(attributes: &Variance, x: &Array) -> Array {
    per_output(&attributes.axes, x, |terms| {
        let mean = terms.iter().sum::<f64>() / terms.len() as f64;
        let squares: f64 = terms.iter().map(|x| (x - mean).powi(2)).sum();
        squares / (terms.len() - attributes.correction) as f64
    })
}

/// How many elements of `x` equal each of `numbers`, which is broadcast to it.
pub fn equal_count(x: &Array, numbers: &Array) -> Array {
    let mut counts = Array::zeros(numbers.shape.clone());
    for (i, x_i) in x.data.iter().enumerate() {
        let output = output_of(i, &x.shape, &numbers.shape);
        if *x_i == numbers.data[output] {
            counts.data[output] += 1.0;
        }
    }
    counts
}

/// The gradient of an extremum: elements that equal it share. NaN equals nothing: 0 / 0 for all.
pub fn extremum_share(x: &Array, extremum: &Array, count: &Array, dy: &Array) -> Array {
    let mut dx = Array::zeros(x.shape.clone());
    for (i, x_i) in x.data.iter().enumerate() {
        let output = output_of(i, &x.shape, &extremum.shape);
        let share = if *x_i == extremum.data[output] { 1.0 } else { 0.0 };
        dx.data[i] = dy.data[output] * share / count.data[output];
    }
    dx
}

fn extremum(terms: &[f64], beyond: impl Fn(f64, f64) -> bool) -> f64 {
    terms.iter().copied().fold(terms[0], |most, x| if x.is_nan() || beyond(x, most) { x } else { most })
}

/// The element of an output with size 1 along the reduced axes to which element `i` belongs.
fn output_of(i: usize, input: &Shape, output: &Shape) -> usize {
    let at = coordinates(i, input);
    let at: Vec<usize> = at.iter().zip(output.iter()).map(|(&c, &size)| c.min(size - 1)).collect();
    element(&at, output)
}

fn per_output(axes: &Axes, x: &Array, f: impl Fn(&[f64]) -> f64) -> Array {
    let kept = axes.kept(&x.shape);
    let mut terms = vec![Vec::new(); kept.elements()];
    for (i, x_i) in x.data.iter().enumerate() {
        terms[output_of(i, &x.shape, &kept)].push(*x_i);
    }
    Array::new(axes.output(&x.shape), terms.iter().map(|terms| f(terms)).collect())
}

impl Reference for Reduce {
    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        vec![reduce(self, inputs[0])]
    }

    fn largest_sum_of_terms(&self, _output: usize, inputs: &[&Array]) -> Option<f64> {
        let sums = matches!(self.function, Function::Sum | Function::Mean);
        sums.then(|| reduce(self, &inputs[0].map(f64::abs)).largest())
    }
}

impl Reference for EqualCount {
    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        vec![equal_count(inputs[0], inputs[1])]
    }
}

impl Reference for ExtremumShare {
    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        vec![extremum_share(inputs[0], inputs[1], inputs[2], inputs[3])]
    }
}

impl Reference for Variance {
    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        vec![variance(self, inputs[0])]
    }
}
