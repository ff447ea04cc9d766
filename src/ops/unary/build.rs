//! The graph's methods for functions of one tensor.

use super::Unary;
use crate::error::Result;
use crate::graph::{Graph, Value};

/// Defines methods. All fail for an input that is not f32 and for invalid attributes.
macro_rules! methods {
    ($($(#[$doc:meta])* fn $name:ident($($number:ident: $kind:ty),*) = $function:expr;)*) => {
        impl Graph {
            $(
                $(#[$doc])*
                pub fn $name(&mut self, x: Value $(, $number: $kind)*) -> Result<Value> {
                    self.apply1($function, &[x])
                }
            )*
        }
    };
}

methods! {
    /// `max(x, 0)`, element by element.
    ///
    /// # Errors
    /// An input that is not f32.
    fn relu() = Unary::Relu;

    /// `x` above 0, else `slope * x`, element by element. PyTorch's `negative_slope` is 0.01 by default.
    ///
    /// # Errors
    /// A slope that is not finite, or an input that is not f32.
    fn leaky_relu(slope: f32) = Unary::LeakyRelu { slope };

    /// `x` above 0, else `alpha * (exp(x) - 1)`, element by element. PyTorch's `alpha` is 1 by default.
    ///
    /// # Errors
    /// An alpha that is not finite, or an input that is not f32.
    fn elu(alpha: f32) = Unary::Elu { alpha };

    /// `1.0507 * elu(x)` with `alpha` 1.6733, element by element: the self-normalising activation of Klambauer
    /// et al. (2017).
    ///
    /// # Errors
    /// An input that is not f32.
    fn selu() = Unary::Selu;

    /// `x * Phi(x)`, element by element, where Phi is the standard normal distribution's integral.
    ///
    /// # Errors
    /// An input that is not f32.
    fn gelu() = Unary::Gelu;

    /// PyTorch's `gelu` with `approximate='tanh'`, element by element: `x / 2 * (1 + tanh(sqrt(2 / pi) * (x +
    /// 0.044715 x^3)))`.
    ///
    /// # Errors
    /// An input that is not f32.
    fn gelu_tanh() = Unary::GeluTanh;

    /// `x * sigmoid(x)`, element by element.
    ///
    /// # Errors
    /// An input that is not f32.
    fn silu() = Unary::Silu;

    /// `x * tanh(log(1 + exp(x)))`, element by element.
    ///
    /// # Errors
    /// An input that is not f32.
    fn mish() = Unary::Mish;

    /// `log(1 + exp(beta * x)) / beta`, and `x` where `beta * x` is above the threshold, element by element.
    /// PyTorch's `beta` is 1 and its `threshold` 20 by default.
    ///
    /// # Errors
    /// A beta or threshold that is not finite, a beta of zero, or an input that is not f32.
    fn softplus(beta: f32, threshold: f32) = Unary::Softplus { beta, threshold };

    /// `1 / (1 + exp(-x))`, element by element.
    ///
    /// # Errors
    /// An input that is not f32.
    fn sigmoid() = Unary::Sigmoid;

    /// The hyperbolic tangent, element by element.
    ///
    /// # Errors
    /// An input that is not f32.
    fn tanh() = Unary::Tanh;

    /// `(x + 3) / 6`, clamped between 0 and 1, element by element.
    ///
    /// # Errors
    /// An input that is not f32.
    fn hard_sigmoid() = Unary::HardSigmoid;

    /// `x * hard_sigmoid(x)`, element by element.
    ///
    /// # Errors
    /// An input that is not f32.
    fn hard_swish() = Unary::HardSwish;

    /// `x`, clamped between `min` and `max`, element by element, with slope 0 at both bounds. PyTorch's bounds are -1
    /// and 1 by default.
    ///
    /// # Errors
    /// Bounds that are not finite, a `min` above `max`, or an input that is not f32.
    fn hard_tanh(min: f32, max: f32) = Unary::HardTanh { min, max };

    /// `x`, clamped between 0 and 6, element by element.
    ///
    /// # Errors
    /// An input that is not f32.
    fn relu6() = Unary::HardTanh { min: 0.0, max: 6.0 };

    /// The error function, element by element: `2 / sqrt(pi)` times the integral of `exp(-t^2)` from 0 to `x`.
    ///
    /// # Errors
    /// An input that is not f32.
    fn erf() = Unary::Erf;

    /// `exp(x)`, element by element.
    ///
    /// # Errors
    /// An input that is not f32.
    fn exp() = Unary::Exp;

    /// The natural logarithm, element by element.
    ///
    /// # Errors
    /// An input that is not f32.
    fn log() = Unary::Log;

    /// The square root, element by element.
    ///
    /// # Errors
    /// An input that is not f32.
    fn sqrt() = Unary::Sqrt;

    /// `|x|`, element by element, with slope 0 at 0.
    ///
    /// # Errors
    /// An input that is not f32.
    fn abs() = Unary::Abs;

    /// 1 above 0, -1 below it, and 0 at 0 and for NaN, element by element. The gradient is 0.
    ///
    /// # Errors
    /// An input that is not f32.
    fn sign() = Unary::Sign;

    /// The largest whole number that is not above `x`, element by element. The gradient is 0.
    ///
    /// # Errors
    /// An input that is not f32.
    fn floor() = Unary::Floor;

    /// The least whole number that is not below `x`, element by element. The gradient is 0.
    ///
    /// # Errors
    /// An input that is not f32.
    fn ceil() = Unary::Ceil;

    /// The nearest whole number, element by element; halves go to the even one. The gradient is 0.
    ///
    /// # Errors
    /// An input that is not f32.
    fn round() = Unary::Round;

    /// 1 for NaN and 0 for everything else, element by element, as f32. The gradient is 0.
    ///
    /// # Errors
    /// An input that is not f32.
    fn is_nan() = Unary::IsNan;

    /// 1 for infinities of either sign and 0 for everything else, element by element, as f32. The gradient is 0.
    ///
    /// # Errors
    /// An input that is not f32.
    fn is_inf() = Unary::IsInf;

    /// `x` to the power of a number, element by element. A negative `x` gives NaN unless the exponent is whole.
    ///
    /// # Errors
    /// An exponent that is not finite, or an input that is not f32.
    fn pow(exponent: f32) = Unary::Power { exponent };

    /// `x`, clamped between `min` and `max`, element by element, with slope 1 at both bounds. If the bounds cross,
    /// `max` counts.
    ///
    /// # Errors
    /// No bound at all, bounds that are not finite, or an input that is not f32.
    fn clamp(min: Option<f32>, max: Option<f32>) = Unary::Clamp { min, max };

    /// `factor * x`, element by element.
    ///
    /// # Errors
    /// A factor that is not finite, or an input that is not f32.
    fn scale(factor: f32) = Unary::Scale { factor };

    /// `x + amount`, element by element.
    ///
    /// # Errors
    /// An amount that is not finite, or an input that is not f32.
    fn shift(amount: f32) = Unary::Shift { amount };

    /// `-x`, element by element.
    ///
    /// # Errors
    /// An input that is not f32.
    fn neg() = Unary::Scale { factor: -1.0 };
}
