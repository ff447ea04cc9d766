//! The CPU reference of an operator: its trait, and the arrays it computes with.
//!
//! The references themselves are in `reference/`.

use crate::tensor::Shape;

/// An operator's result, as scalar loops in f64. The compiler demands it of every [`Operator`](super::Operator).
pub trait Reference {
    /// The outputs in f64. State that is updated in place is an input with its old value and an output with its new
    /// one.
    fn reference(&self, inputs: &[&Array]) -> Vec<Array>;

    /// The largest sum of the terms' magnitudes, for an output whose elements are sums that may cancel; `None` for
    /// others. Rounding grows with that sum, not with the result, which is all rounding where the terms cancel: the
    /// gradient of a bias in front of batch norm is zero. [`Session::verify`](crate::Session::verify) measures errors
    /// against the larger of the two.
    fn largest_sum_of_terms(&self, _output: usize, _inputs: &[&Array]) -> Option<f64> {
        None
    }
}

/// A tensor of the reference: row-major f64.
#[derive(Clone, PartialEq, Debug)]
pub struct Array {
    /// Sizes, outermost first.
    pub shape: Shape,
    /// `shape.elements()` numbers.
    pub data: Vec<f64>,
}

impl Array {
    /// An array of the given shape and elements.
    ///
    /// # Panics
    /// If `data` does not hold `shape.elements()` numbers.
    pub fn new(shape: impl Into<Shape>, data: Vec<f64>) -> Self {
        let shape = shape.into();
        assert_eq!(shape.elements(), data.len(), "an array of shape {shape} holds its product of elements");
        Array { shape, data }
    }

    /// An array of zeros.
    pub fn zeros(shape: impl Into<Shape>) -> Self {
        let shape = shape.into();
        let data = vec![0.0; shape.elements()];
        Array { shape, data }
    }

    /// The same shape with `f` applied to every element.
    pub fn map(&self, f: impl Fn(f64) -> f64) -> Self {
        Array { shape: self.shape.clone(), data: self.data.iter().map(|&x| f(x)).collect() }
    }

    /// The largest finite magnitude; zero where there is none.
    pub fn largest(&self) -> f64 {
        self.data.iter().filter(|x| x.is_finite()).fold(0.0, |most, x| most.max(x.abs()))
    }

    /// Applies `f` to every pair of elements of two arrays of the same shape.
    pub fn zip(&self, other: &Array, f: impl Fn(f64, f64) -> f64) -> Self {
        assert_eq!(self.shape, other.shape, "zip needs equal shapes");
        let data = self.data.iter().zip(&other.data).map(|(&a, &b)| f(a, b)).collect();
        Array { shape: self.shape.clone(), data }
    }
}
