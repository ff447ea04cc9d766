//! Functions of one tensor, element by element: activations and arithmetic with numbers.
//!
//! One enum has all functions, and one operator has all gradients. `functions` maps them to WGSL functions and to the
//! values that gradients need; `build` has the graph's methods. Functions of two tensors are in `arithmetic`,
//! activations along an axis in `softmax`.

mod build;
mod functions;

use crate::error::Result;
use crate::op::{BackwardContext, IndexMap, Operator, Pointwise};
use crate::ops::checks;
use crate::tensor::TensorType;
use functions::Saved;
pub(crate) use functions::{SELU_ALPHA, SELU_SCALE};

/// `y = f(x)` for one of these functions. The output has the input's shape. Where a slope is not defined, the
/// gradient is PyTorch's. Attributes are PyTorch's too; numbers have to be finite.
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
        /// Minus the limit for large negative `x`.
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
        /// Sharpness of the bend; not zero.
        beta: f32,
        /// Value of `beta * x` above which the result is `x`.
        threshold: f32,
    },
    /// `1 / (1 + exp(-x))`
    Sigmoid,
    /// `(exp(x) - exp(-x)) / (exp(x) + exp(-x))`
    Tanh,
    /// `(x + 3) / 6`, clamped between 0 and 1.
    HardSigmoid,
    /// `x * hard_sigmoid(x)`
    HardSwish,
    /// `x`, clamped between `min` and `max`, with slope 0 at both bounds.
    HardTanh {
        /// The least value.
        min: f32,
        /// The largest value, not below `min`.
        max: f32,
    },
    /// The error function, `2 / sqrt(pi)` times the integral of `exp(-t^2)` from 0 to `x`.
    Erf,
    /// `exp(x)`
    Exp,
    /// The natural logarithm.
    Log,
    /// The square root.
    Sqrt,
    /// `|x|`, with slope 0 at 0.
    Abs,
    /// 1 above 0, -1 below it, and 0 at 0 and for NaN. Slope 0 everywhere.
    Sign,
    /// The largest whole number that is not above `x`. Slope 0 everywhere.
    Floor,
    /// The least whole number that is not below `x`. Slope 0 everywhere.
    Ceil,
    /// The nearest whole number, of two the even one. Slope 0 everywhere.
    Round,
    /// 1 for NaN, else 0. Slope 0 everywhere.
    IsNan,
    /// 1 for infinities of either sign, else 0. Slope 0 everywhere.
    IsInf,
    /// `x` to the power of a number. A negative `x` gives NaN unless the exponent is whole.
    Power {
        /// The exponent.
        exponent: f32,
    },
    /// Like [`Unary::Power`], with slope 0 at 0. Norms use it, because PyTorch takes their slope to be 0 where the
    /// norm is 0.
    NormPower {
        /// The exponent.
        exponent: f32,
    },
    /// `x`, clamped between `min` and `max`, with slope 1 at both bounds. If the bounds cross, `max` counts.
    Clamp {
        /// The least value, if there is one.
        min: Option<f32>,
        /// The largest value, if there is one.
        max: Option<f32>,
    },
    /// `factor * x`
    Scale {
        /// The factor.
        factor: f32,
    },
    /// `x + amount`
    Shift {
        /// The amount.
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
        checks::f32_input(inputs[0])?;
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
}

/// Gradient of a function by its input. Inputs: the function's output or its input, whichever the gradient needs, and
/// the output's gradient.
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
        checks::gradient(inputs[1], inputs[0])?;
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
}
