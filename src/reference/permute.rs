//! Dimensions in another order.

use super::{coordinates, element};
use crate::op::{Array, Reference};
use crate::ops::permute::Permute;

/// The forward operator.
pub fn permute(attributes: &Permute, x: &Array) -> Array {
    let sizes: Vec<usize> = attributes.axes.iter().map(|&axis| x.shape[axis]).collect();
    let mut y = Array::zeros(sizes);
    for (i, &x_i) in x.data.iter().enumerate() {
        let from = coordinates(i, &x.shape);
        let to: Vec<usize> = attributes.axes.iter().map(|&axis| from[axis]).collect();
        let j = element(&to, &y.shape);
        y.data[j] = x_i;
    }
    y
}

impl Reference for Permute {
    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        vec![permute(self, inputs[0])]
    }
}
