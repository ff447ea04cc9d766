//! Functions of one tensor, element by element: activations and arithmetic with numbers.
//!
//! One enum names them all, one operator takes the gradient of any. Which WGSL function is which, and
//! from what its gradient follows, stands in `functions`, the methods of the graph in `build`. Functions of
//! two tensors stand in `arithmetic`, activations along an axis in `softmax`.

mod build;
mod functions;

use super::Operator;
use super::pointwise::{self, Pointwise, Reach};
use crate::error::Result;
use crate::graph::Backward;
use crate::plan::Lower;
use crate::reference::{Array, unary as reference};
use crate::tensor::{DType, TensorType};
use functions::Saved;

/// `y = f(x)` for one of these functions. The output has the input's shape.
#[derive(Clone, Copy, PartialEq, Debug)]
#[non_exhaustive]
pub enum Unary {
    /// `max(x, 0)`, with slope 0 at 0.
    Relu,
    /// `1 / (1 + exp(-x))`
    Sigmoid,
    /// `(exp(x) - exp(-x)) / (exp(x) + exp(-x))`
    Tanh,
    /// `factor * x`
    Scale {
        /// A finite number.
        factor: f32,
    },
    /// `x + amount`
    Shift {
        /// A finite number.
        amount: f32,
    },
}

impl Operator for Unary {
    fn name(&self) -> &'static str {
        self.function().forward
    }

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        if inputs[0].dtype != DType::F32 {
            return Err(format!("expects an f32 input, found {}", inputs[0]));
        }
        self.check()?;
        Ok(vec![inputs[0].clone()])
    }

    fn backward(&self, cx: &mut Backward<'_>) -> Result<()> {
        let dy = cx.output_gradient(0)?;
        let dx = match (self.function().saved, self) {
            (Saved::Nothing, Unary::Scale { .. }) => cx.apply1(*self, &[dy])?,
            (Saved::Nothing, _) => dy,
            (Saved::Output, _) => cx.apply1(UnaryGrad { function: *self }, &[cx.output(0), dy])?,
        };
        cx.set(0, dx);
        Ok(())
    }

    fn pointwise(&self, _inputs: &[&TensorType]) -> Option<Pointwise> {
        let function = self.function();
        Some(Pointwise {
            file: function.file,
            function: function.wgsl,
            reach: vec![Reach::Same],
            numbers: function.numbers,
        })
    }

    fn lower(&self, cx: &mut Lower<'_>) -> Result<()> {
        pointwise::lower(cx)
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        vec![reference::unary(*self, inputs[0])]
    }

    fn flops(&self, inputs: &[&TensorType]) -> u64 {
        inputs[0].shape.elements() as u64
    }
}

/// Gradient of a function by its input, from its output or its input, whichever it follows from, and the
/// output's gradient.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct UnaryGrad {
    /// The function.
    pub function: Unary,
}

impl Operator for UnaryGrad {
    fn name(&self) -> &'static str {
        self.function.function().gradient
    }

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        let function = self.function.function();
        if function.saved == Saved::Nothing {
            return Err(format!("{} takes its gradient from the output's alone", function.forward));
        }
        if inputs[0] != inputs[1] {
            return Err(format!("expects a gradient like the output {}, found {}", inputs[0], inputs[1]));
        }
        self.function.infer(&inputs[..1])
    }

    fn pointwise(&self, _inputs: &[&TensorType]) -> Option<Pointwise> {
        let function = self.function.function();
        Some(Pointwise {
            file: function.file,
            function: function.gradient,
            reach: vec![Reach::Same; 2],
            numbers: function.numbers,
        })
    }

    fn lower(&self, cx: &mut Lower<'_>) -> Result<()> {
        pointwise::lower(cx)
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        vec![reference::unary_grad(self.function, inputs[0], inputs[1])]
    }

    fn flops(&self, inputs: &[&TensorType]) -> u64 {
        inputs[0].shape.elements() as u64
    }
}
