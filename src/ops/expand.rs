//! Expand: a tensor repeated along dimensions of size one, which is broadcasting as an operator.

use super::elementwise::{SumTo, broadcast};
use crate::error::Result;
use crate::graph::{Graph, Value};
use crate::op::{BackwardContext, IndexMap, Operator, Pointwise};
use crate::ops::checks;
use crate::shader::parts;
use crate::tensor::{Shape, TensorType};

/// The input broadcast to a shape.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Expand {
    /// The output's shape. Aligned at the last dimension it equals the input's, or is larger where the input's size
    /// is 1.
    pub shape: Shape,
}

impl Operator for Expand {
    fn name(&self) -> &'static str {
        "expand"
    }

    fn arity(&self) -> (usize, usize) {
        (1, 1)
    }

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        let input = inputs[0];
        checks::f32_input(input)?;
        match broadcast(&input.shape, &self.shape) {
            Ok(shape) if shape == self.shape => Ok(vec![TensorType::f32(shape)]),
            _ => Err(format!("{} does not broadcast to {}", input.shape, self.shape)),
        }
    }

    fn backward(&self, cx: &mut BackwardContext<'_>) -> Result<()> {
        let (shape, dy) = (cx.shape(cx.input(0)), cx.output_gradient(0)?);
        let dx = if shape == self.shape { dy } else { cx.apply1(SumTo { shape }, &[dy])? };
        cx.set(0, dx);
        Ok(())
    }

    fn pointwise(&self, inputs: &[&TensorType]) -> Option<Pointwise> {
        let index_map = vec![IndexMap::of(&inputs[0].shape, &self.shape)?];
        Some(Pointwise { file: &parts::repeated, function: "repeated", index_map, numbers: vec![] })
    }

    fn flops(&self, _inputs: &[&TensorType]) -> u64 {
        0
    }
}

impl Graph {
    /// `x` repeated along dimensions of size 1, and along new ones in front, to `shape`.
    ///
    /// # Errors
    /// A shape that `x` does not broadcast to, more than 6 dimensions, an input that is not f32.
    pub fn expand(&mut self, x: Value, shape: impl Into<Shape>) -> Result<Value> {
        self.apply1(Expand { shape: shape.into() }, &[x])
    }
}
