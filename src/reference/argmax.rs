//! The index of the largest or the smallest element along an axis.

use crate::op::{Array, Reference};
use crate::ops::argmax::ArgMax;
use crate::tensor::Shape;

/// The index of the first largest, or smallest, element.
impl Reference for ArgMax {
    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let x = inputs[0];
        let axis = self.axis;
        let terms = x.shape[axis];
        let inner: usize = x.shape[axis + 1..].iter().product();
        let beyond = |a: f64, b: f64| {
            let further = if self.smallest { a < b } else { a > b };
            further || (a.is_nan() && !b.is_nan())
        };
        let mut sizes = x.shape.to_vec();
        sizes[axis] = 1;
        let mut found = Array::zeros(sizes.clone());
        for (row, index) in found.data.iter_mut().enumerate() {
            let at = |k: usize| x.data[(row / inner * terms + k) * inner + row % inner];
            let first = (0..terms).fold(0, |best, k| if beyond(at(k), at(best)) { k } else { best });
            *index = first as f64;
        }
        if !self.keepdim {
            sizes.remove(axis);
        }
        vec![Array::new(Shape::from(sizes), found.data)]
    }
}
