//! Slices and their gradient.

use super::{coordinates, element};
use crate::op::{Array, Reference};
use crate::ops::slice::{Slice, SliceGrad};
use crate::tensor::Shape;

/// The forward operator.
impl Reference for Slice {
    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let x = inputs[0];
        let mut y = Array::zeros(sizes(self));
        for i in 0..y.data.len() {
            y.data[i] = x.data[origin(self, &x.shape, &coordinates(i, &y.shape))];
        }
        vec![y]
    }
}

/// The gradient of the input.
impl Reference for SliceGrad {
    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let SliceGrad { forward, input } = self;
        let dy = inputs[0];
        let mut dx = Array::zeros(input.clone());
        for (i, &dy_i) in dy.data.iter().enumerate() {
            dx.data[origin(forward, input, &coordinates(i, &dy.shape))] = dy_i;
        }
        vec![dx]
    }
}

fn sizes(attributes: &Slice) -> Vec<usize> {
    attributes.axes.iter().map(|axis| axis.size).collect()
}

fn origin(attributes: &Slice, input: &Shape, at: &[usize]) -> usize {
    let moved = attributes.axes.iter().zip(at);
    let at: Vec<usize> =
        moved.map(|(axis, &c)| axis.start.wrapping_add_signed(axis.step.wrapping_mul(c as isize))).collect();
    element(&at, input)
}
