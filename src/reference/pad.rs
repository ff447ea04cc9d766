//! Padding: each element of the padded array is a number or an element of the input.

use super::{coordinates, element};
use crate::op::{Array, Reference};
use crate::ops::pad::{Pad, PadGrad, PadMode};
use crate::tensor::Shape;

/// The forward operator.
impl Reference for Pad {
    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let x = inputs[0];
        let mut y = Array::zeros(padded(self, &x.shape));
        for (i, y_i) in y.data.iter_mut().enumerate() {
            *y_i = match (origin(self, &x.shape, i), self.mode) {
                (Some(j), _) => x.data[j],
                (None, PadMode::Constant(number)) => f64::from(number),
                (None, _) => unreachable!("other modes take elements of the input"),
            };
        }
        vec![y]
    }
}

/// The gradient of the input: the sum over all places where each element went.
impl Reference for PadGrad {
    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let PadGrad { forward, input } = self;
        let mut dx = Array::zeros(input.clone());
        for (i, dy_i) in inputs[0].data.iter().enumerate() {
            if let Some(j) = origin(forward, input, i) {
                dx.data[j] += dy_i;
            }
        }
        vec![dx]
    }
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
