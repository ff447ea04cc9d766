//! Concatenation along an axis.

use super::{coordinates, element};
use crate::op::{Array, Reference};
use crate::ops::concatenate::Concatenate;

/// The inputs one behind the other.
impl Reference for Concatenate {
    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let axis = self.axis;
        let mut sizes = inputs[0].shape.to_vec();
        sizes[axis] = inputs.iter().map(|input| input.shape[axis]).sum();
        let mut y = Array::zeros(sizes);
        let mut start = 0;
        for input in inputs {
            for (i, &x) in input.data.iter().enumerate() {
                let mut at = coordinates(i, &input.shape);
                at[axis] += start;
                let j = element(&at, &y.shape);
                y.data[j] = x;
            }
            start += input.shape[axis];
        }
        vec![y]
    }
}
