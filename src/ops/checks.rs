//! Checks that shape rules and builder methods share. The message of a refusal says expected and found.

use crate::error::Result;
use crate::graph::{Graph, Value};
use crate::tensor::{DType, Shape, TensorType};

/// An input of any shape.
pub(super) fn f32_input(input: &TensorType) -> Result<(), String> {
    match input.dtype {
        DType::F32 => Ok(()),
        _ => Err(format!("expects an f32 input, found {input}")),
    }
}

/// Images (N, C, H, W).
pub(super) fn images(input: &TensorType) -> Result<(), String> {
    if input.dtype == DType::F32 && input.shape.len() == 4 {
        return Ok(());
    }
    Err(format!("expected f32 of shape (N, C, H, W), found {input}"))
}

/// A dimension that the shape has.
pub(super) fn axis(axis: usize, shape: &Shape) -> Result<(), String> {
    if axis < shape.len() {
        return Ok(());
    }
    Err(format!("axis {axis} is outside the {} dimensions of {shape}", shape.len()))
}

/// The gradient of an output, which has its type.
pub(super) fn gradient(gradient: &TensorType, output: &TensorType) -> Result<(), String> {
    if gradient == output {
        return Ok(());
    }
    Err(format!("expects a gradient like the output {output}, found {gradient}"))
}

impl Graph {
    /// The size of `x` along `axis`; fails if `x` does not have it.
    pub(super) fn size_along(&self, operator: &str, x: Value, axis: usize) -> Result<usize> {
        self.check_owned([x])?;
        let shape = self.shape_of(x);
        self::axis(axis, shape).map_err(|message| self.refusal(operator, message))?;
        Ok(shape[axis])
    }
}
