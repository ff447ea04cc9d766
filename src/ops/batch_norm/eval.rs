//! Batch normalisation by running statistics, which are constants here, and its gradients.

use super::split::PREFERENCE;
use super::split::{ChannelSplit, VARIANTS, serial_terms};
use super::{BatchNorm, channels, check_each, check_parameters};
use crate::error::Result;
use crate::op::{BackwardContext, Caps, IndexMap, LowerContext, Operator, Pointwise, Preference, Variant};
use crate::shader::{Kernel, kernels, parts};
use crate::tensor::{Shape, TensorType};

/// Normalises by the running statistics. Inputs: x (N, C, ...); if affine, weight and bias (C); the running
/// mean and variance (C). Output: y.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BatchNormEval {
    /// Attributes.
    pub norm: BatchNorm,
    /// Whether there are a weight and a bias.
    pub affine: bool,
}

impl From<BatchNorm> for BatchNormEval {
    /// With weight and bias.
    fn from(norm: BatchNorm) -> Self {
        BatchNormEval { norm, affine: true }
    }
}

/// The index map of one number per channel of a tensor (N, C, ...).
fn each_channel(shape: &Shape) -> IndexMap {
    IndexMap::Channel { channels: shape[1], plane: shape[2..].iter().product() }
}

impl Operator for BatchNormEval {
    fn name(&self) -> &'static str {
        "batch_norm_eval"
    }

    fn arity(&self) -> (usize, usize) {
        let inputs = 3 + 2 * usize::from(self.affine);
        (inputs, inputs)
    }

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        self.norm.check()?;
        check_parameters(&inputs[1..], channels(inputs[0])?, self.affine, true)?;
        Ok(vec![inputs[0].clone()])
    }

    fn backward(&self, cx: &mut BackwardContext<'_>) -> Result<()> {
        let gradient = cx.output_gradient(0)?;
        if self.affine && (cx.wants(1) || cx.wants(2)) {
            let inputs = [cx.input(0), gradient, cx.input(1), cx.input(3), cx.input(4)];
            for (i, gradient) in cx.apply(BatchNormEvalGrad(self.norm), &inputs)?.into_iter().enumerate() {
                cx.set(i, gradient);
            }
            return Ok(());
        }
        let mut inputs = vec![gradient];
        inputs.extend(self.affine.then(|| cx.input(1)));
        inputs.push(cx.input(cx.inputs() - 1));
        let gradient = cx.apply1(BatchNormEvalGradInput { norm: self.norm, affine: self.affine }, &inputs)?;
        cx.set(0, gradient);
        Ok(())
    }

    fn pointwise(&self, inputs: &[&TensorType]) -> Option<Pointwise> {
        let mut index_map = vec![each_channel(&inputs[0].shape); inputs.len()];
        index_map[0] = IndexMap::Same;
        Some(Pointwise {
            file: &parts::batch_norm_eval,
            function: if self.affine { "batch_norm_eval" } else { "batch_norm_eval_plain" },
            index_map,
            numbers: vec![self.norm.eps],
        })
    }

    fn flops(&self, inputs: &[&TensorType]) -> u64 {
        3 * inputs[0].shape.elements() as u64
    }
}

/// The gradient of x alone by [`BatchNormEval`]. Inputs: the gradient of y; if affine, the weight; the
/// running variance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BatchNormEvalGradInput {
    /// Attributes.
    pub norm: BatchNorm,
    /// Whether there is a weight.
    pub affine: bool,
}

impl Operator for BatchNormEvalGradInput {
    fn name(&self) -> &'static str {
        "batch_norm_eval_grad_input"
    }

    fn arity(&self) -> (usize, usize) {
        let inputs = 2 + usize::from(self.affine);
        (inputs, inputs)
    }

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        self.norm.check()?;
        let each = TensorType::f32([channels(inputs[0])?]);
        let names: &[&str] = if self.affine { &["weight", "running_var"] } else { &["running_var"] };
        check_each(&inputs[1..], names, &each)?;
        Ok(vec![inputs[0].clone()])
    }

    fn pointwise(&self, inputs: &[&TensorType]) -> Option<Pointwise> {
        let mut index_map = vec![each_channel(&inputs[0].shape); inputs.len()];
        index_map[0] = IndexMap::Same;
        Some(Pointwise {
            file: &parts::batch_norm_eval,
            function: if self.affine { "batch_norm_eval_grad" } else { "batch_norm_eval_grad_plain" },
            index_map,
            numbers: vec![self.norm.eps],
        })
    }
}

/// The gradient of [`BatchNormEval`](super::BatchNormEval). Inputs: x, the gradient of y, weight, running mean, running
/// variance. Outputs: the gradients of x, weight and bias.
#[derive(Clone, Debug, PartialEq)]
pub struct BatchNormEvalGrad(pub BatchNorm);

impl Operator for BatchNormEvalGrad {
    fn name(&self) -> &'static str {
        "batch_norm_eval_grad"
    }

    fn arity(&self) -> (usize, usize) {
        (5, 5)
    }

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        self.0.check()?;
        let each = TensorType::f32([channels(inputs[0])?]);
        check_each(&inputs[1..2], &["the output's gradient"], inputs[0])?;
        check_each(&inputs[2..], &["weight", "running_mean", "running_var"], &each)?;
        Ok(vec![inputs[0].clone(), each.clone(), each])
    }

    fn variants(&self, _inputs: &[&TensorType], _caps: &Caps) -> Vec<Variant> {
        VARIANTS.to_vec()
    }

    fn preference(&self, _inputs: &[&TensorType]) -> Preference {
        PREFERENCE
    }

    fn lower(&self, cx: &mut LowerContext<'_>) -> Result<()> {
        let split = ChannelSplit::new(&cx.input_type(0).shape, cx.variant());
        let partial = cx.temporary(split.pairs());
        let kernel = split
            .kernel(cx, &kernels::batch_norm_eval_grad)?
            .with("EPSILON", self.0.eps)
            .iterations(split.iterations());
        let operands =
            [cx.input(0), cx.input(1), cx.input(2), cx.input(3), cx.input(4), cx.output(0), partial.clone()];
        cx.dispatch(kernel, &operands, split.workgroups());
        let kernel = Kernel::new(&kernels::batch_norm_eval_grad_parameters)
            .with("EPSILON", self.0.eps)
            .with("CHANNELS", cx.index(split.channels)?)
            .with("PARTS", cx.index(split.parts)?)
            .iterations(split.parts as u64);
        let operands = [cx.input(4), partial, cx.output(1), cx.output(2)];
        cx.dispatch(kernel, &operands, split.channels.div_ceil(64));
        Ok(())
    }

    fn serial_terms(&self, inputs: &[&TensorType], variant: Variant) -> u64 {
        serial_terms(&inputs[0].shape, variant)
    }

    fn flops(&self, inputs: &[&TensorType]) -> u64 {
        5 * inputs[0].shape.elements() as u64
    }
}
