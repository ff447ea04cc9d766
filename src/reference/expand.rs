//! Broadcasting to a shape.

use super::coordinates;
use crate::op::{Array, Reference};
use crate::ops::expand::Expand;

/// The input, repeated.
pub fn expand(attributes: &Expand, x: &Array) -> Array {
    let mut y = Array::zeros(attributes.shape.clone());
    let added = y.shape.len() - x.shape.len();
    for i in 0..y.data.len() {
        let at = coordinates(i, &y.shape);
        let source = x.shape.iter().zip(&at[added..]);
        y.data[i] = x.data[source.fold(0, |flat, (&size, &c)| flat * size + c.min(size - 1))];
    }
    y
}

impl Reference for Expand {
    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        vec![expand(self, inputs[0])]
    }
}
