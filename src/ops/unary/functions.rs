//! The table of functions: names, WGSL, attributes and what their gradients follow from.

use super::Unary;
use crate::shader::ShaderFile;
use crate::shader_file;

static RELU: ShaderFile = shader_file!("shared/activation_relu");
static SIGMOID: ShaderFile = shader_file!("shared/activation_sigmoid");
static TANH: ShaderFile = shader_file!("shared/activation_tanh");
static NUMBERS: ShaderFile = shader_file!("shared/with_numbers");

/// What a gradient follows from, besides the output's gradient.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Saved {
    /// The output, so that the input's memory is free once the forward pass is through.
    Output,
    /// Nothing: the function is linear, and its gradient no operator of its own.
    Nothing,
}

/// How a function is called.
pub(super) struct Function {
    /// The operator's name.
    pub forward: &'static str,
    /// The name of its gradient, in WGSL too, if it has one of its own. Its parameters are what was
    /// saved, the output's gradient, and the numbers.
    pub gradient: &'static str,
    /// Where both are defined.
    pub file: &'static ShaderFile,
    /// The function's name in WGSL, which has words of its own for some.
    pub wgsl: &'static str,
    /// What the gradient follows from.
    pub saved: Saved,
    /// Attributes that both take, after their elements.
    pub numbers: Vec<f32>,
}

impl Unary {
    pub(super) fn function(self) -> Function {
        let of_output = |file, forward, gradient, wgsl, numbers: &[f32]| Function {
            forward,
            gradient,
            file,
            wgsl,
            saved: Saved::Output,
            numbers: numbers.to_vec(),
        };
        let linear = |forward, wgsl, number| Function {
            forward,
            gradient: forward,
            file: &NUMBERS,
            wgsl,
            saved: Saved::Nothing,
            numbers: vec![number],
        };
        match self {
            Unary::Relu => of_output(&RELU, "relu", "relu_grad", "relu", &[]),
            Unary::Sigmoid => of_output(&SIGMOID, "sigmoid", "sigmoid_grad", "sigmoid", &[]),
            Unary::Tanh => of_output(&TANH, "tanh", "tanh_grad", "tanh_by_parts", &[]),
            Unary::Scale { factor } => linear("scale", "scaled", factor),
            Unary::Shift { amount } => linear("shift", "shifted", amount),
        }
    }

    /// An error for attributes that no function can do with.
    pub(super) fn check(self) -> Result<(), String> {
        let finite = |name: &str, number: f32| {
            if number.is_finite() {
                return Ok(());
            }
            Err(format!("{name} must be a finite number, found {number}"))
        };
        match self {
            Unary::Scale { factor } => finite("factor", factor),
            Unary::Shift { amount } => finite("amount", amount),
            _ => Ok(()),
        }
    }
}
