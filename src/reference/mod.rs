//! The CPU reference: every operator as scalar loops in f64, written to be read and to be right.
//!
//! It shares nothing with the kernels but the operators' attributes. Speed is no concern here.
//! Class labels and counters are held as f64 too, which is exact for them.

pub mod argmax;
pub mod arithmetic;
pub mod batch_norm;
pub mod concatenate;
pub mod conv2d;
pub mod cross_entropy;
pub mod dropout;
pub mod elementwise;
pub mod embedding;
pub mod expand;
pub mod local_response_norm;
pub mod loss;
pub mod matmul;
pub mod optimizer;
pub mod pad;
pub mod permute;
pub mod pool2d;
pub mod prelu;
pub mod reduce;
pub mod reshape;
pub mod row_norm;
pub mod sample_moments;
pub mod slice;
pub mod softmax;
pub mod unary;
pub mod upsample;

use crate::tensor::Shape;

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

    /// Elements of two arrays of one shape combined by `f`.
    pub fn zip(&self, other: &Array, f: impl Fn(f64, f64) -> f64) -> Self {
        assert_eq!(self.shape, other.shape, "zip needs equal shapes");
        let data = self.data.iter().zip(&other.data).map(|(&a, &b)| f(a, b)).collect();
        Array { shape: self.shape.clone(), data }
    }
}

/// The coordinates of element `i` of a row-major array.
fn coordinates(mut i: usize, shape: &Shape) -> Vec<usize> {
    let mut coordinates = vec![0; shape.len()];
    for d in (0..shape.len()).rev() {
        coordinates[d] = i % shape[d];
        i /= shape[d];
    }
    coordinates
}

/// The element at these coordinates of a row-major array.
fn element(coordinates: &[usize], shape: &Shape) -> usize {
    coordinates.iter().zip(shape.iter()).fold(0, |i, (&coordinate, &size)| i * size + coordinate)
}
