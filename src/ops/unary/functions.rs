//! The table of functions: names, WGSL, attributes, and the value that each gradient needs.

use super::Unary;
use crate::shader::{ShaderFile, parts};

/// SELU's numbers, with which activations keep mean 0 and variance 1 (Klambauer et al., Self-Normalizing Neural
/// Networks, 2017).
pub(crate) const SELU_ALPHA: f64 = 1.673_263_242_354_377_2;
pub(crate) const SELU_SCALE: f64 = 1.050_700_987_355_480_5;

/// The value that a gradient needs in addition to the output's gradient.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Saved {
    /// The input.
    Input,
    /// The output, so the input's memory is free after the forward pass.
    Output,
    /// None: the function is linear, and its gradient is not an operator of its own.
    Nothing,
}

/// One row of the table.
pub(super) struct Function {
    /// Names of the operator and of its gradient.
    pub names: [&'static str; 2],
    /// The file that defines both.
    pub file: &'static ShaderFile,
    /// Names in WGSL, where some differ. The gradient's parameters are the saved value, the output's gradient, and
    /// the numbers.
    pub wgsl: [&'static str; 2],
    /// The value that the gradient needs.
    pub saved: Saved,
    /// Attributes, which both take after their elements.
    pub numbers: Vec<f32>,
}

/// A row of the table: the name, the file, both names in WGSL, what is saved, the numbers.
macro_rules! function {
    ($name:literal, $file:ident, [$wgsl:literal, $gradient:literal], $saved:ident $(, $number:expr)*) => {
        Function {
            names: [$name, concat!($name, "_grad")],
            file: &parts::$file,
            wgsl: [$wgsl, $gradient],
            saved: Saved::$saved,
            numbers: vec![$($number),*],
        }
    };
}

/// A row for a function whose slope is 0 everywhere: the name, and the name in WGSL.
macro_rules! flat {
    ($name:literal, $wgsl:literal) => {
        Function { names: [$name, "flat_grad"], ..function!($name, rounding, [$wgsl, "flat_grad"], Input) }
    };
}

impl Unary {
    #[rustfmt::skip]
    pub(super) fn function(self) -> Function {
        match self {
            Unary::Relu => function!("relu", activation_relu, ["relu", "relu_grad"], Output),
            // The output has the input's sign unless the slope is negative.
            Unary::LeakyRelu { slope } if slope >= 0.0 => {
                function!("leaky_relu", activation_relu, ["leaky_relu", "leaky_relu_grad"], Output, slope)
            }
            Unary::LeakyRelu { slope } => {
                function!("leaky_relu", activation_relu, ["leaky_relu", "leaky_relu_grad"], Input, slope)
            }
            Unary::Elu { alpha } if alpha >= 0.0 => {
                function!("elu", activation_elu, ["elu", "elu_grad"], Output, alpha, 1.0)
            }
            Unary::Elu { alpha } => function!("elu", activation_elu, ["elu", "elu_grad_of_input"], Input, alpha, 1.0),
            Unary::Selu => {
                function!("selu", activation_elu, ["elu", "elu_grad"], Output, SELU_ALPHA as f32, SELU_SCALE as f32)
            }
            Unary::Gelu => function!("gelu", activation_gelu, ["gelu", "gelu_grad"], Input),
            Unary::GeluTanh => function!("gelu_tanh", activation_gelu, ["gelu_tanh", "gelu_tanh_grad"], Input),
            Unary::Silu => function!("silu", activation_sigmoid, ["silu", "silu_grad"], Input),
            Unary::Mish => function!("mish", activation_sigmoid, ["mish", "mish_grad"], Input),
            Unary::Softplus { beta, threshold } => {
                function!("softplus", activation_sigmoid, ["softplus", "softplus_grad"], Input, beta, threshold)
            }
            Unary::Sigmoid => function!("sigmoid", activation_sigmoid, ["sigmoid", "sigmoid_grad"], Output),
            Unary::Tanh => function!("tanh", activation_tanh, ["tanh_by_parts", "tanh_grad"], Output),
            Unary::HardSigmoid => {
                function!("hard_sigmoid", activation_hard, ["hard_sigmoid", "hard_sigmoid_grad"], Output)
            }
            Unary::HardSwish => function!("hard_swish", activation_hard, ["hard_swish", "hard_swish_grad"], Input),
            Unary::HardTanh { min, max } => {
                function!("hard_tanh", activation_hard, ["hard_tanh", "hard_tanh_grad"], Output, min, max)
            }
            Unary::Erf => function!("erf", activation_gelu, ["error_function", "erf_grad"], Input),
            Unary::Exp => function!("exp", maths, ["exponential", "exp_grad"], Output),
            Unary::Log => function!("log", maths, ["logarithm", "log_grad"], Input),
            Unary::Sqrt => function!("sqrt", maths, ["square_root", "sqrt_grad"], Output),
            Unary::Abs => function!("abs", maths, ["absolute", "abs_grad"], Input),
            Unary::Sign => flat!("sign", "sign_of"),
            Unary::Floor => flat!("floor", "rounded_down"),
            Unary::Ceil => flat!("ceil", "rounded_up"),
            Unary::Round => flat!("round", "rounded"),
            Unary::IsNan => flat!("is_nan", "is_no_number"),
            Unary::IsInf => flat!("is_inf", "is_infinite"),
            Unary::Power { exponent } if exponent.fract() == 0.0 => {
                function!("pow", power, ["power_whole", "power_whole_grad"], Input, exponent)
            }
            Unary::Power { exponent } => {
                function!("pow", power, ["power_real", "power_real_grad"], Input, exponent)
            }
            Unary::NormPower { exponent } if exponent.fract() == 0.0 => {
                function!("norm_power", power, ["power_whole", "norm_power_whole_grad"], Input, exponent)
            }
            Unary::NormPower { exponent } => {
                function!("norm_power", power, ["power_real", "norm_power_real_grad"], Input, exponent)
            }
            Unary::Clamp { min: Some(min), max: None } => {
                function!("clamp", with_numbers, ["clamp_below", "clamp_below_grad"], Input, min)
            }
            Unary::Clamp { min: None, max: Some(max) } => {
                function!("clamp", with_numbers, ["clamp_above", "clamp_above_grad"], Input, max)
            }
            Unary::Clamp { min, max } => {
                let (min, max) = (min.unwrap_or(f32::MIN), max.unwrap_or(f32::MAX));
                function!("clamp", with_numbers, ["clamp_between", "clamp_between_grad"], Input, min, max)
            }
            Unary::Scale { factor } => function!("scale", with_numbers, ["scaled", "scaled"], Nothing, factor),
            Unary::Shift { amount } => function!("shift", with_numbers, ["shifted", "shifted"], Nothing, amount),
        }
    }

    /// Whether [`super::UnaryGrad`] takes the output instead of the input.
    pub fn saves_output(self) -> bool {
        self.function().saved == Saved::Output
    }

    /// Fails for invalid attributes.
    pub(super) fn check(self) -> Result<(), String> {
        let finite = |name: &str, number: f32| match number.is_finite() {
            true => Ok(()),
            false => Err(format!("{name} must be a finite number, found {number}")),
        };
        match self {
            Unary::LeakyRelu { slope } => finite("negative_slope", slope),
            Unary::Elu { alpha } => finite("alpha", alpha),
            Unary::Softplus { beta, threshold } => {
                finite("beta", beta)?;
                finite("threshold", threshold)?;
                if beta == 0.0 {
                    return Err("beta must not be zero: it is divided by".to_owned());
                }
                Ok(())
            }
            Unary::HardTanh { min, max } => {
                finite("min_val", min)?;
                finite("max_val", max)?;
                if min > max {
                    return Err(format!("min_val cannot be greater than max_val, found {min} and {max}"));
                }
                Ok(())
            }
            Unary::Clamp { min: None, max: None } => {
                Err("at least one of 'min' or 'max' must not be None".to_owned())
            }
            Unary::Clamp { min, max } => {
                finite("min", min.unwrap_or(0.0))?;
                finite("max", max.unwrap_or(0.0))
            }
            Unary::Power { exponent } | Unary::NormPower { exponent } => finite("exponent", exponent),
            Unary::Scale { factor } => finite("factor", factor),
            Unary::Shift { amount } => finite("amount", amount),
            _ => Ok(()),
        }
    }
}
