//! Padding: each element of the padded array is a number or an element of the input.

use super::{coordinates, element};
use crate::op::{Array, Reference};
use crate::ops::pad::PadGrad;
use crate::ops::pad::{Pad, PadMode};
use crate::tensor::Shape;

/// The forward operator.
pub fn pad(attributes: &Pad, x: &Array) -> Array {
    let mut y = Array::zeros(padded(attributes, &x.shape));
    for (i, y_i) in y.data.iter_mut().enumerate() {
        *y_i = match (origin(attributes, &x.shape, i), attributes.mode) {
            (Some(j), _) => x.data[j],
            (None, PadMode::Constant(number)) => f64::from(number),
            (None, _) => unreachable!("other modes take elements of the input"),
        };
    }
    y
}

/// The gradient of the input: what became of each element, added up.
pub fn pad_grad(attributes: &Pad, input: &Shape, dy: &Array) -> Array {
    let mut dx = Array::zeros(input.clone());
    for (i, dy_i) in dy.data.iter().enumerate() {
        if let Some(j) = origin(attributes, input, i) {
            dx.data[j] += dy_i;
        }
    }
    dx
}

fn before(attributes: &Pad, rank: usize, d: usize) -> [usize; 2] {
    let skipped = rank - attributes.amounts.len();
    if d < skipped { [0, 0] } else { attributes.amounts[d - skipped] }
}

fn padded(attributes: &Pad, input: &Shape) -> Vec<usize> {
    let amounts = |d| before(attributes, input.len(), d).iter().sum::<usize>();
    (0..input.len()).map(|d| input[d] + amounts(d)).collect()
}

/// The element of the input that element `i` of the padded array repeats.
fn origin(attributes: &Pad, input: &Shape, i: usize) -> Option<usize> {
    let mut at = coordinates(i, &Shape::from(padded(attributes, input)));
    for d in 0..input.len() {
        let size = input[d] as i64;
        let t = at[d] as i64 - before(attributes, input.len(), d)[0] as i64;
        let source = match attributes.mode {
            PadMode::Constant(_) => t,
            PadMode::Replicate if t < 0 => 0,
            PadMode::Replicate if t >= size => size - 1,
            PadMode::Reflect if t < 0 => -t,
            PadMode::Reflect if t >= size => 2 * (size - 1) - t,
            PadMode::Circular => t.rem_euclid(size),
            PadMode::Replicate | PadMode::Reflect => t,
        };
        at[d] = usize::try_from(source).ok().filter(|&source| source < input[d])?;
    }
    Some(element(&at, input))
}

impl Reference for Pad {
    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        vec![pad(self, inputs[0])]
    }
}

impl Reference for PadGrad {
    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        vec![pad_grad(&self.forward, &self.input, inputs[0])]
    }
}
