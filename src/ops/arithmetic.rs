//! Arithmetic of two tensors with broadcasting: sum, difference, product, quotient, the larger and the
//! smaller of two.
//!
//! Broadcasting follows NumPy and PyTorch: shapes align at the last dimension, and a size of one stretches.
//! `elementwise` has the code that broadcasts shapes and sums gradients back.

use super::elementwise::{SumTo, broadcast};
use super::unary::Unary;
use crate::error::Result;
use crate::graph::{Graph, Value};
use crate::op::{BackwardContext, IndexMap, Operator, Pointwise};
use crate::shader::parts;
use crate::tensor::{DType, Shape, TensorType};

/// `f(lhs, rhs)`, element by element, both broadcast to a common shape of at most six dimensions.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Binary {
    /// `lhs + rhs`
    Add,
    /// `lhs - rhs`
    Sub,
    /// `lhs * rhs`
    Mul,
    /// `lhs / rhs`
    Div,
    /// The larger of the two. If both are equal, each gets half the gradient, as in PyTorch.
    Maximum,
    /// The smaller of the two. If both are equal, each gets half the gradient, as in PyTorch.
    Minimum,
}

/// The type of a function of two tensors of floats.
pub(super) fn broadcast_floats(inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
    let (lhs, rhs) = (inputs[0], inputs[1]);
    if lhs.dtype != rhs.dtype || lhs.dtype != DType::F32 {
        return Err(format!("expects two f32 tensors, found {lhs} and {rhs}"));
    }
    Ok(vec![TensorType::f32(broadcast(&lhs.shape, &rhs.shape)?)])
}

impl Operator for Binary {
    fn name(&self) -> &'static str {
        match self {
            Binary::Add => "add",
            Binary::Sub => "sub",
            Binary::Mul => "mul",
            Binary::Div => "div",
            Binary::Maximum => "maximum",
            Binary::Minimum => "minimum",
        }
    }

    fn arity(&self) -> (usize, usize) {
        (2, 2)
    }

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        broadcast_floats(inputs)
    }

    fn backward(&self, cx: &mut BackwardContext<'_>) -> Result<()> {
        let (inputs, y, dy) = ([cx.input(0), cx.input(1)], cx.output(0), cx.output_gradient(0)?);
        for i in (0..2).filter(|&i| cx.wants(i)).collect::<Vec<_>>() {
            let [own, other] = [inputs[i], inputs[1 - i]];
            let whole = match (self, i) {
                (Binary::Add, _) | (Binary::Sub, 0) => dy,
                (Binary::Sub, _) => cx.apply1(Unary::Scale { factor: -1.0 }, &[dy])?,
                (Binary::Mul, _) => cx.apply1(Binary::Mul, &[dy, other])?,
                (Binary::Div, 0) => cx.apply1(Binary::Div, &[dy, other])?,
                // d(a / b) / db = -(a / b) / b
                (Binary::Div, _) => {
                    let slope = cx.apply1(Binary::Div, &[y, own])?;
                    let negative = cx.apply1(Binary::Mul, &[dy, slope])?;
                    cx.apply1(Unary::Scale { factor: -1.0 }, &[negative])?
                }
                (Binary::Maximum | Binary::Minimum, _) => {
                    cx.apply1(ExtremumGrad { function: *self }, &[dy, own, other])?
                }
            };
            let shape = cx.shape(own);
            let gradient =
                if shape == cx.shape(whole) { whole } else { cx.apply1(SumTo { shape }, &[whole])? };
            cx.set(i, gradient);
        }
        Ok(())
    }

    fn pointwise(&self, inputs: &[&TensorType]) -> Option<Pointwise> {
        let shape = broadcast(&inputs[0].shape, &inputs[1].shape).ok()?;
        // Some of the functions have other names in WGSL.
        let function = match self {
            Binary::Add => "sum_of_two",
            Binary::Sub => "difference_of_two",
            Binary::Mul => "product_of_two",
            Binary::Div => "quotient_of_two",
            Binary::Maximum => "larger_of_two",
            Binary::Minimum => "smaller_of_two",
        };
        Some(Pointwise {
            file: &parts::arithmetic,
            function,
            index_map: index_map(inputs, &shape)?,
            numbers: vec![],
        })
    }
}

/// Gradient of [`Binary::Maximum`] or [`Binary::Minimum`] by one input, before it is summed to that
/// input's shape. Inputs: the output's gradient, that input, the other one.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ExtremumGrad {
    /// Maximum or minimum.
    pub function: Binary,
}

impl Operator for ExtremumGrad {
    fn name(&self) -> &'static str {
        if self.function == Binary::Minimum { "minimum_grad" } else { "maximum_grad" }
    }

    fn arity(&self) -> (usize, usize) {
        (3, 3)
    }

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        let shape = broadcast(&inputs[1].shape, &inputs[2].shape)?;
        if inputs.iter().any(|ty| ty.dtype != DType::F32) || inputs[0].shape != shape {
            return Err(format!("expects a gradient like the output f32{shape}, found {}", inputs[0]));
        }
        Ok(vec![inputs[0].clone()])
    }

    fn pointwise(&self, inputs: &[&TensorType]) -> Option<Pointwise> {
        let index_map = index_map(inputs, &inputs[0].shape)?;
        Some(Pointwise { file: &parts::arithmetic, function: self.name(), index_map, numbers: vec![] })
    }
}

/// The broadcast of each input to `shape`.
pub(super) fn index_map(inputs: &[&TensorType], shape: &Shape) -> Option<Vec<IndexMap>> {
    inputs.iter().map(|ty| IndexMap::of(&ty.shape, shape)).collect()
}

impl Graph {
    /// `lhs + rhs`, broadcast as NumPy and PyTorch do.
    ///
    /// ```
    /// # fn main() -> wgrad::Result<()> {
    /// use wgrad::Graph;
    ///
    /// let mut g = Graph::new();
    /// let (images, per_channel) = (g.input("images", [8, 3, 32, 32])?, g.input("offset", [3, 1, 1])?);
    /// let y = g.add(images, per_channel)?;
    /// assert_eq!(g.shape(y)?, g.shape(images)?);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Shapes that do not broadcast, or inputs that are not f32.
    pub fn add(&mut self, lhs: Value, rhs: Value) -> Result<Value> {
        self.apply1(Binary::Add, &[lhs, rhs])
    }

    /// `lhs - rhs`, broadcast as NumPy and PyTorch do.
    ///
    /// # Errors
    /// Shapes that do not broadcast, or inputs that are not f32.
    pub fn sub(&mut self, lhs: Value, rhs: Value) -> Result<Value> {
        self.apply1(Binary::Sub, &[lhs, rhs])
    }

    /// `lhs * rhs`, element by element, broadcast as NumPy and PyTorch do.
    ///
    /// # Errors
    /// Shapes that do not broadcast, or inputs that are not f32.
    pub fn mul(&mut self, lhs: Value, rhs: Value) -> Result<Value> {
        self.apply1(Binary::Mul, &[lhs, rhs])
    }

    /// `lhs / rhs`, broadcast as NumPy and PyTorch do. Division by zero gives infinity, and NaN for zero divided by
    /// zero.
    ///
    /// # Errors
    /// Shapes that do not broadcast, or inputs that are not f32.
    pub fn div(&mut self, lhs: Value, rhs: Value) -> Result<Value> {
        self.apply1(Binary::Div, &[lhs, rhs])
    }

    /// The larger of `lhs` and `rhs`, element by element, broadcast as NumPy and PyTorch do. Where they
    /// are equal, half the gradient goes to each.
    ///
    /// # Errors
    /// Shapes that do not broadcast, or inputs that are not f32.
    pub fn maximum(&mut self, lhs: Value, rhs: Value) -> Result<Value> {
        self.apply1(Binary::Maximum, &[lhs, rhs])
    }

    /// The smaller of `lhs` and `rhs`, element by element, broadcast as NumPy and PyTorch do. Where
    /// they are equal, half the gradient goes to each.
    ///
    /// # Errors
    /// Shapes that do not broadcast, or inputs that are not f32.
    pub fn minimum(&mut self, lhs: Value, rhs: Value) -> Result<Value> {
        self.apply1(Binary::Minimum, &[lhs, rhs])
    }
}
