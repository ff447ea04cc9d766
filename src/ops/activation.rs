//! Activations: ReLU, sigmoid and tanh, element by element. Their gradients need only the output,
//! so that the input's memory is free once the forward pass is through.

use super::Operator;
use crate::error::Result;
use crate::graph::{Backward, Graph, Value};
use crate::plan::Lower;
use crate::reference::{Array, activation as reference};
use crate::shader::{Kernel, ShaderFile};
use crate::shader_file;
use crate::tensor::{DType, TensorType};

static GROUP: ShaderFile = shader_file!("shared/group");
static WIDTH_1: ShaderFile = shader_file!("shared/width_1");
static WIDTH_4: ShaderFile = shader_file!("shared/width_4");
static RELU: ShaderFile = shader_file!("shared/activation_relu");
static SIGMOID: ShaderFile = shader_file!("shared/activation_sigmoid");
static TANH: ShaderFile = shader_file!("shared/activation_tanh");
static ACTIVATION: ShaderFile = shader_file!("activation");
static ACTIVATION_GRAD: ShaderFile = shader_file!("activation_grad");

/// Invocations of a workgroup, and how many elements each makes in turn.
const LANES: usize = 64;
const ITEMS: usize = 4;

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

    /// The kernel of `main` over `elements` elements, four at a time where that divides them, and
    /// its workgroups.
    fn kernel(self, cx: &Lower<'_>, main: &'static ShaderFile, elements: usize) -> Result<(Kernel, usize)> {
        let (width, count) =
            if elements.is_multiple_of(4) { (&WIDTH_4, elements / 4) } else { (&WIDTH_1, elements) };
        let kernel = Kernel::new(&[&GROUP, width, self.file(), main])
            .with("ELEMENTS", cx.index(count)?)
            .with("ITEMS", ITEMS as u32);
        Ok((kernel, count.div_ceil(LANES * ITEMS)))
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

    fn lower(&self, cx: &mut Lower<'_>) -> Result<()> {
        let (kernel, groups) = self.kernel(cx, &ACTIVATION, cx.output_type(0).shape.elements())?;
        let operands = [cx.input(0), cx.output(0)];
        cx.dispatch(kernel, &operands, groups);
        Ok(())
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

    fn lower(&self, cx: &mut Lower<'_>) -> Result<()> {
        let elements = cx.output_type(0).shape.elements();
        let (kernel, groups) = self.function.kernel(cx, &ACTIVATION_GRAD, elements)?;
        let operands = [cx.input(0), cx.input(1), cx.output(0)];
        cx.dispatch(kernel, &operands, groups);
        Ok(())
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
