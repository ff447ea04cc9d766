//! Dimensions in another order.

use super::{coordinates, element};
use crate::op::{Array, Reference};
use crate::ops::permute::Permute;

/// The forward operator.
impl Reference for Permute {
    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let x = inputs[0];
        let sizes: Vec<usize> = self.axes.iter().map(|&axis| x.shape[axis]).collect();
        let mut y = Array::zeros(sizes);
        for (i, &x_i) in x.data.iter().enumerate() {
            let from = coordinates(i, &x.shape);
            let to: Vec<usize> = self.axes.iter().map(|&axis| from[axis]).collect();
            let j = element(&to, &y.shape);
            y.data[j] = x_i;
        }
        vec![y]
    }
}
