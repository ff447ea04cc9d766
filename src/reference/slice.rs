//! Slices and what puts them back.

use super::{coordinates, element};
use crate::op::{Array, Reference};
use crate::ops::slice::Slice;
use crate::ops::slice::SliceGrad;
use crate::tensor::Shape;

/// The forward operator.
pub fn slice(attributes: &Slice, x: &Array) -> Array {
    let mut y = Array::zeros(sizes(attributes));
    for i in 0..y.data.len() {
        y.data[i] = x.data[origin(attributes, &x.shape, &coordinates(i, &y.shape))];
    }
    y
}

/// The gradient of the input.
pub fn slice_grad(attributes: &Slice, input: &Shape, dy: &Array) -> Array {
    let mut dx = Array::zeros(input.clone());
    for (i, &dy_i) in dy.data.iter().enumerate() {
        dx.data[origin(attributes, input, &coordinates(i, &dy.shape))] = dy_i;
    }
    dx
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

impl Reference for Slice {
    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        vec![slice(self, inputs[0])]
    }
}

impl Reference for SliceGrad {
    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        vec![slice_grad(&self.forward, &self.input, inputs[0])]
    }
}
