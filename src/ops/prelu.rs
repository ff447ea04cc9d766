//! PReLU: a leaky ReLU whose slope is learned, one for all or one per channel (He et al., Delving Deep into
//! Rectifiers, 2015). Leaky ReLU, whose slope is a number, is in `unary`.

use super::elementwise::SumTo;
use super::reshape::Reshape;
use crate::error::Result;
use crate::graph::{Graph, Value};
use crate::op::{BackwardContext, IndexMap, Operator, Pointwise};
use crate::ops::checks;
use crate::shader::parts;
use crate::tensor::{DType, Shape, TensorType};

/// `x` above 0, else `weight * x`. Inputs: x `[n, c, ...]` and the weight `[1]` or `[c]`; the output has
/// x's shape.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct PRelu;

/// The number of channels, the second dimension's size. Without that dimension there is a single channel, as in
/// PyTorch.
fn channels(x: &Shape) -> usize {
    x.get(1).copied().unwrap_or(1)
}

/// The index map from elements of x to weights.
fn weight_reach(x: &Shape, weight: &Shape) -> IndexMap {
    match weight.elements() {
        1 => IndexMap::Channel { channels: 1, plane: x.elements() },
        channels => IndexMap::Channel { channels, plane: x[2..].iter().product() },
    }
}

impl Operator for PRelu {
    fn name(&self) -> &'static str {
        "prelu"
    }

    fn arity(&self) -> (usize, usize) {
        (2, 2)
    }

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        let (x, weight) = (inputs[0], inputs[1]);
        if x.dtype != DType::F32 || weight.dtype != DType::F32 {
            return Err(format!("expects an f32 input and an f32 weight, found {x} and {weight}"));
        }
        if weight.shape.len() > 1 {
            return Err(format!("expected weight to be a scalar or 1D tensor, found {weight}"));
        }
        let (found, channels) = (weight.shape.elements(), channels(&x.shape));
        if found != 1 && found != channels {
            return Err(format!(
                "mismatch of parameter numbers and input channel size: found parameter numbers = {found} and channel size = {channels}"
            ));
        }
        Ok(vec![x.clone()])
    }

    fn backward(&self, cx: &mut BackwardContext<'_>) -> Result<()> {
        let (x, weight, dy) = (cx.input(0), cx.input(1), cx.output_gradient(0)?);
        if cx.wants(0) {
            let dx = cx.apply1(PReluGrad, &[x, weight, dy])?;
            cx.set(0, dx);
        }
        if cx.wants(1) {
            let terms = cx.apply1(PReluGradWeight, &[x, dy])?;
            let (full, shape) = (cx.shape(x), cx.shape(weight));
            let mut aligned = vec![1; full.len()];
            if shape.elements() > 1 {
                aligned[1] = shape.elements();
            }
            let sum = cx.apply1(SumTo { shape: Shape::from(aligned) }, &[terms])?;
            let gradient = cx.apply1(Reshape { shape }, &[sum])?;
            cx.set(1, gradient);
        }
        Ok(())
    }

    fn pointwise(&self, inputs: &[&TensorType]) -> Option<Pointwise> {
        let index_map = vec![IndexMap::Same, weight_reach(&inputs[0].shape, &inputs[1].shape)];
        Some(Pointwise { file: &parts::activation_relu, function: "prelu", index_map, numbers: vec![] })
    }
}

/// Gradient of [`PRelu`] by x. Inputs: x, the weight, the output's gradient.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct PReluGrad;

impl Operator for PReluGrad {
    fn name(&self) -> &'static str {
        "prelu_grad"
    }

    fn arity(&self) -> (usize, usize) {
        (3, 3)
    }

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        checks::gradient(inputs[2], inputs[0])?;
        PRelu.infer(&inputs[..2])
    }

    fn pointwise(&self, inputs: &[&TensorType]) -> Option<Pointwise> {
        let index_map =
            vec![IndexMap::Same, weight_reach(&inputs[0].shape, &inputs[1].shape), IndexMap::Same];
        Some(Pointwise { file: &parts::activation_relu, function: "prelu_grad", index_map, numbers: vec![] })
    }
}

/// The terms of [`PRelu`]'s gradient by the weight, before they are summed: 0 if x is above 0, else the output's
/// gradient times x. Inputs: x, the output's gradient.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct PReluGradWeight;

impl Operator for PReluGradWeight {
    fn name(&self) -> &'static str {
        "prelu_grad_weight"
    }

    fn arity(&self) -> (usize, usize) {
        (2, 2)
    }

    fn keeps_f32(&self, _output: usize) -> bool {
        true
    }

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        if inputs[0] != inputs[1] || inputs[0].dtype != DType::F32 {
            return Err(format!("expects a gradient like the output {}, found {}", inputs[0], inputs[1]));
        }
        Ok(vec![inputs[0].clone()])
    }

    fn pointwise(&self, _inputs: &[&TensorType]) -> Option<Pointwise> {
        let index_map = vec![IndexMap::Same; 2];
        Some(Pointwise {
            file: &parts::activation_relu,
            function: "prelu_grad_weight",
            index_map,
            numbers: vec![],
        })
    }
}

impl Graph {
    /// `x` above 0, else `weight * x`: x is `[n, c, ...]`, the weight `[1]` or `[c]`.
    ///
    /// # Errors
    /// A weight with another number of elements, or inputs that are not f32.
    pub fn prelu(&mut self, x: Value, weight: Value) -> Result<Value> {
        self.apply1(PRelu, &[x, weight])
    }
}
