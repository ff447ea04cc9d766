//! Reductions over axes: the elements of each output are gathered, then reduced.

use super::{coordinates, element};
use crate::op::{Array, Reference};
use crate::ops::reduce::{Axes, EqualCount, ExtremumShare, Function, Reduce, Variance};

/// Sum, mean, the largest or the smallest.
impl Reference for Reduce {
    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        vec![per_output(&self.axes, inputs[0], |terms| match self.function {
            Function::Sum => terms.iter().sum(),
            Function::Mean => terms.iter().sum::<f64>() / terms.len() as f64,
            Function::Max => extremum(terms, |x, most| x > most),
            Function::Min => extremum(terms, |x, least| x < least),
        })]
    }

    fn largest_sum_of_terms(&self, _output: usize, inputs: &[&Array]) -> Option<f64> {
        let sums = matches!(self.function, Function::Sum | Function::Mean);
        sums.then(|| self.reference(&[&inputs[0].map(f64::abs)])[0].largest())
    }
}

/// The variance.
impl Reference for Variance {
    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        vec![per_output(&self.axes, inputs[0], |terms| {
            let mean = terms.iter().sum::<f64>() / terms.len() as f64;
            let squares: f64 = terms.iter().map(|x| (x - mean).powi(2)).sum();
            squares / (terms.len() - self.correction) as f64
        })]
    }
}

/// How many elements of `x` equal each of `numbers`, which is broadcast to it.
impl Reference for EqualCount {
    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let [x, numbers] = [inputs[0], inputs[1]];
        let mut counts = Array::zeros(numbers.shape.clone());
        for (i, x_i) in x.data.iter().enumerate() {
            let output = element(&coordinates(i, &x.shape), &numbers.shape);
            if *x_i == numbers.data[output] {
                counts.data[output] += 1.0;
            }
        }
        vec![counts]
    }
}

/// The gradient of an extremum: elements that equal it share. NaN equals nothing: 0 / 0 for all.
impl Reference for ExtremumShare {
    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let [x, extremum, count, dy] = [0, 1, 2, 3].map(|i| inputs[i]);
        let mut dx = Array::zeros(x.shape.clone());
        for (i, x_i) in x.data.iter().enumerate() {
            let output = element(&coordinates(i, &x.shape), &extremum.shape);
            let share = if *x_i == extremum.data[output] { 1.0 } else { 0.0 };
            dx.data[i] = dy.data[output] * share / count.data[output];
        }
        vec![dx]
    }
}

fn extremum(terms: &[f64], beyond: impl Fn(f64, f64) -> bool) -> f64 {
    terms.iter().copied().fold(terms[0], |most, x| if x.is_nan() || beyond(x, most) { x } else { most })
}

fn per_output(axes: &Axes, x: &Array, f: impl Fn(&[f64]) -> f64) -> Array {
    let kept = axes.kept(&x.shape);
    let mut terms = vec![Vec::new(); kept.elements()];
    for (i, x_i) in x.data.iter().enumerate() {
        terms[element(&coordinates(i, &x.shape), &kept)].push(*x_i);
    }
    Array::new(axes.output(&x.shape), terms.iter().map(|terms| f(terms)).collect())
}
