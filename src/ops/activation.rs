//! Activations: ReLU, sigmoid and tanh, element by element. Their gradients need only the output,
//! so that the input's memory is free once the forward pass is through.

use super::Operator;
use super::pointwise::{self, Pointwise, Reach};
use crate::error::Result;
use crate::graph::{Backward, Graph, Value};
use crate::plan::Lower;
use crate::reference::{Array, activation as reference};
use crate::shader::ShaderFile;
use crate::shader_file;
use crate::tensor::{DType, TensorType};

static RELU: ShaderFile = shader_file!("shared/activation_relu");
static SIGMOID: ShaderFile = shader_file!("shared/activation_sigmoid");
static TANH: ShaderFile = shader_file!("shared/activation_tanh");

/// `y = f(x)` for one of these functions. The output has the input's shape.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Activation {
    /// `max(x, 0)`, with slope 0 at 0.
    Relu,
    /// `1 / (1 + exp(-x))`
    Sigmoid,
    /// `(exp(x) - exp(-x)) / (exp(x) + exp(-x))`
    Tanh,
}

impl Activation {
    fn file(self) -> &'static ShaderFile {
        match self {
            Activation::Relu => &RELU,
            Activation::Sigmoid => &SIGMOID,
            Activation::Tanh => &TANH,
        }
    }
}

impl Activation {
    fn function(self) -> &'static str {
        match self {
            Activation::Relu => "relu",
            Activation::Sigmoid => "sigmoid",
            // WGSL has a function named tanh.
            Activation::Tanh => "tanh_by_parts",
        }
    }
}

impl Operator for Activation {
    fn name(&self) -> &'static str {
        match self {
            Activation::Relu => "relu",
            Activation::Sigmoid => "sigmoid",
            Activation::Tanh => "tanh",
        }
    }

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        if inputs[0].dtype != DType::F32 {
            return Err(format!("expects an f32 input, found {}", inputs[0]));
        }
        Ok(vec![inputs[0].clone()])
    }

    fn backward(&self, cx: &mut Backward<'_>) -> Result<()> {
        let (y, dy) = (cx.output(0), cx.output_gradient(0)?);
        let dx = cx.apply1(ActivationGrad { function: *self }, &[y, dy])?;
        cx.set(0, dx);
        Ok(())
    }

    fn pointwise(&self, _inputs: &[&TensorType]) -> Option<Pointwise> {
        Some(Pointwise {
            file: self.file(),
            function: self.function(),
            reach: vec![Reach::Same],
            numbers: vec![],
        })
    }

    fn lower(&self, cx: &mut Lower<'_>) -> Result<()> {
        pointwise::lower(cx)
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        vec![reference::activation(*self, inputs[0])]
    }

    fn flops(&self, inputs: &[&TensorType]) -> u64 {
        inputs[0].shape.elements() as u64
    }
}

/// Gradient of an activation by its input, from its output and the output's gradient.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ActivationGrad {
    /// The activation.
    pub function: Activation,
}

impl Operator for ActivationGrad {
    fn name(&self) -> &'static str {
        match self.function {
            Activation::Relu => "relu_grad",
            Activation::Sigmoid => "sigmoid_grad",
            Activation::Tanh => "tanh_grad",
        }
    }

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        if inputs[0] != inputs[1] {
            return Err(format!("expects a gradient like the output {}, found {}", inputs[0], inputs[1]));
        }
        Ok(vec![inputs[0].clone()])
    }

    fn pointwise(&self, _inputs: &[&TensorType]) -> Option<Pointwise> {
        Some(Pointwise {
            file: self.function.file(),
            function: self.name(),
            reach: vec![Reach::Same; 2],
            numbers: vec![],
        })
    }

    fn lower(&self, cx: &mut Lower<'_>) -> Result<()> {
        pointwise::lower(cx)
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        vec![reference::activation_grad(self.function, inputs[0], inputs[1])]
    }

    fn flops(&self, inputs: &[&TensorType]) -> u64 {
        inputs[0].shape.elements() as u64
    }
}

impl Graph {
    /// `max(x, 0)`, element by element.
    ///
    /// # Errors
    /// An input that is not f32.
    pub fn relu(&mut self, x: Value) -> Result<Value> {
        self.apply1(Activation::Relu, &[x])
    }

    /// `1 / (1 + exp(-x))`, element by element.
    ///
    /// # Errors
    /// An input that is not f32.
    pub fn sigmoid(&mut self, x: Value) -> Result<Value> {
        self.apply1(Activation::Sigmoid, &[x])
    }

    /// The hyperbolic tangent, element by element.
    ///
    /// # Errors
    /// An input that is not f32.
    pub fn tanh(&mut self, x: Value) -> Result<Value> {
        self.apply1(Activation::Tanh, &[x])
    }
}
