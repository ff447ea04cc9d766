//! Functions of one tensor, element by element: activations and arithmetic with numbers.
//!
//! One enum names them all, one operator takes the gradient of any. Which WGSL function is which, and
//! from what its gradient follows, stands in `functions`, the methods of the graph in `build`. Functions of
//! two tensors stand in `arithmetic`, activations along an axis in `softmax`.

mod build;
mod functions;

use crate::error::Result;
use crate::op::{BackwardContext, IndexMap, Operator, Pointwise};
use crate::tensor::{DType, TensorType};
use functions::Saved;
pub(crate) use functions::{SELU_ALPHA, SELU_SCALE};

/// `y = f(x)` for one of these functions. The output has the input's shape. Where a slope is not defined
/// the gradient is what PyTorch gives, and so are attributes; those that are numbers have to be finite.
#[derive(Clone, Copy, PartialEq, Debug)]
#[non_exhaustive]
pub enum Unary {
    /// `max(x, 0)`, with slope 0 at 0.
    Relu,
    /// `x` above 0, else `slope * x`.
    LeakyRelu {
        /// Slope at and below 0.
        slope: f32,
    },
    /// `x` above 0, else `alpha * (exp(x) - 1)`.
    Elu {
        /// The limit far below 0, with the sign turned.
        alpha: f32,
    },
    /// `scale * elu(x)` with the scale and alpha that keep mean 0 and variance 1.
    Selu,
    /// `x * Phi(x)`, where Phi is the standard normal distribution's integral.
    Gelu,
    /// `x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3)))`
    GeluTanh,
    /// `x * sigmoid(x)`, also called swish.
    Silu,
    /// `x * tanh(log(1 + exp(x)))`
    Mish,
    /// `log(1 + exp(beta * x)) / beta`, and `x` where `beta * x` is above the threshold.
    Softplus {
        /// How sharply it bends; not zero.
        beta: f32,
        /// Where it turns into `x`.
        threshold: f32,
    },
    /// `1 / (1 + exp(-x))`
    Sigmoid,
    /// `(exp(x) - exp(-x)) / (exp(x) + exp(-x))`
    Tanh,
    /// `(x + 3) / 6`, at the least 0 and at the most 1.
    HardSigmoid,
    /// `x * hard_sigmoid(x)`
    HardSwish,
    /// `x`, at the least `min` and at the most `max`, with slope 0 at both.
    HardTanh {
        /// The least value.
        min: f32,
        /// The largest value, not below `min`.
        max: f32,
    },
    /// `exp(x)`
    Exp,
    /// The natural logarithm.
    Log,
    /// The square root.
    Sqrt,
    /// `|x|`, with slope 0 at 0.
    Abs,
    /// `x` to the power of a number. A negative `x` has powers with whole exponents only.
    Power {
        /// The exponent.
        exponent: f32,
    },
    /// A power as of [`Unary::Power`], with slope 0 at 0: of such are norms made, whose slope PyTorch takes to be 0
    /// where the norm is.
    NormPower {
        /// The exponent.
        exponent: f32,
    },
    /// `x`, at the least `min` and at the most `max`, with slope 1 at both. Of bounds that cross, `max`
    /// counts.
    Clamp {
        /// The least value, if there is one.
        min: Option<f32>,
        /// The largest value, if there is one.
        max: Option<f32>,
    },
    /// `factor * x`
    Scale {
        /// What is multiplied by.
        factor: f32,
    },
    /// `x + amount`
    Shift {
        /// What is added.
        amount: f32,
    },
}

impl Operator for Unary {
    fn name(&self) -> &'static str {
        self.function().names[0]
    }

    fn arity(&self) -> (usize, usize) {
        (1, 1)
    }

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        if inputs[0].dtype != DType::F32 {
            return Err(format!("expects an f32 input, found {}", inputs[0]));
        }
        self.check()?;
        Ok(vec![inputs[0].clone()])
    }

    fn backward(&self, cx: &mut BackwardContext<'_>) -> Result<()> {
        let dy = cx.output_gradient(0)?;
        let dx = match (self.function().saved, self) {
            (Saved::Nothing, Unary::Scale { .. }) => cx.apply1(*self, &[dy])?,
            (Saved::Nothing, _) => dy,
            (Saved::Input, _) => cx.apply1(UnaryGrad { function: *self }, &[cx.input(0), dy])?,
            (Saved::Output, _) => cx.apply1(UnaryGrad { function: *self }, &[cx.output(0), dy])?,
        };
        cx.set(0, dx);
        Ok(())
    }

    fn pointwise(&self, _inputs: &[&TensorType]) -> Option<Pointwise> {
        let function = self.function();
        Some(Pointwise {
            file: function.file,
            function: function.wgsl[0],
            index_map: vec![IndexMap::Same],
            numbers: function.numbers,
        })
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
        self.function.function().names[1]
    }

    fn arity(&self) -> (usize, usize) {
        (2, 2)
    }

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        let function = self.function.function();
        if function.saved == Saved::Nothing {
            return Err(format!("{} takes its gradient from the output's alone", function.names[0]));
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
            function: function.wgsl[1],
            index_map: vec![IndexMap::Same; 2],
            numbers: function.numbers,
        })
    }

    fn flops(&self, inputs: &[&TensorType]) -> u64 {
        inputs[0].shape.elements() as u64
    }
}
