//! Batch normalisation over the channels of (N, C) and (N, C, ...): in training by the batch's own
//! statistics, in evaluation by the running ones, and the gradients of both.
//!
//! In training a channel's elements are reduced, by several workgroups where they are many, whose
//! results one further dispatch merges; then one kernel over the flat tensor makes the output. Here are
//! the attributes and the forward passes; `gradients` holds the backward ones, `pool` what is fused with
//! max pooling, `cut` how reductions are shared among workgroups.

mod cut;
mod gradients;
mod pool;

pub use gradients::{BatchNormEvalGrad, BatchNormGrad};
pub use pool::{BatchNormMaxPool, BatchNormMaxPoolGrad};
pub(crate) use pool::{pooled_taps, pools};

use super::Operator;
use super::pointwise::{self, Pointwise, Reach};
use crate::error::Result;
use crate::graph::{Backward, Graph, Mode, Value};
use crate::plan::{Caps, Lower};
use crate::reference::{Array, batch_norm as reference};
use crate::shader::{Kernel, ShaderFile};
use crate::shader_file;
use crate::tensor::{DType, TensorType};
use cut::{Cut, VARIANTS, flat};

static MERGE_MOMENTS: ShaderFile = shader_file!("shared/moments");
static MOMENTS: ShaderFile = shader_file!("batch_norm_moments");
static PARTS: ShaderFile = shader_file!("batch_norm_parts");
static MERGE: ShaderFile = shader_file!("batch_norm_merge");
static SETTLE: ShaderFile = shader_file!("batch_norm_settle");
static APPLY: ShaderFile = shader_file!("batch_norm_apply");
static EVAL: ShaderFile = shader_file!("shared/batch_norm_eval");

/// Attributes of batch normalisation, with PyTorch's names and defaults.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct BatchNorm {
    /// Added to the variance, under the root.
    pub eps: f32,
    /// Share of the batch's statistics in the new running ones.
    pub momentum: f32,
}

impl Default for BatchNorm {
    fn default() -> Self {
        BatchNorm { eps: 1e-5, momentum: 0.1 }
    }
}

impl BatchNorm {
    /// The square root must exist where a channel is constant, and statistics stay finite.
    fn check(&self) -> Result<(), String> {
        if !(self.eps > 0.0 && self.eps.is_finite()) {
            return Err(format!("eps must be above 0, found {}", self.eps));
        }
        if !(0.0..=1.0).contains(&self.momentum) {
            return Err(format!("momentum must be between 0 and 1, found {}", self.momentum));
        }
        Ok(())
    }
}

/// The number of channels, for an input of at least two dimensions.
fn channels(x: &TensorType) -> Result<usize, String> {
    if x.dtype != DType::F32 || x.shape.len() < 2 {
        return Err(format!("expected f32 of shape (N, C) or (N, C, ...), found {x}"));
    }
    Ok(x.shape[1])
}

fn check_each(inputs: &[&TensorType], names: &[&str], expected: &TensorType) -> Result<(), String> {
    match inputs.iter().zip(names).find(|(kind, _)| **kind != expected) {
        Some((found, name)) => Err(format!("expected {name} as {expected}, found {found}")),
        None => Ok(()),
    }
}

impl BatchNorm {
    /// Records what comes before normalising: the statistics (output 1) and the running ones (outputs 2
    /// and 3) of the first input.
    fn lower_statistics(&self, cx: &mut Lower<'_>) -> Result<()> {
        let shape = cx.input_type(0).shape.clone();
        let cut = Cut::new(&shape, cx.variant());
        let settle = |kernel: Kernel| {
            kernel
                .with("EPSILON", self.eps)
                .with("MOMENTUM", self.momentum)
                .with("ELEMENTS", (shape.elements() / shape[1]) as f32)
        };
        let (x, results) = (cx.input(0), [cx.input(1), cx.output(1), cx.output(2), cx.output(3)]);
        if cut.parts == 1 {
            let kernel = settle(cut.kernel(cx, &[&MERGE_MOMENTS, &SETTLE, &MOMENTS])?);
            let operands: Vec<_> = [x].into_iter().chain(results).collect();
            cx.dispatch(kernel, &operands, cut.workgroups());
            return Ok(());
        }
        let partial = cx.temporary(cut.pairs());
        let kernel = cut.kernel(cx, &[&MERGE_MOMENTS, &PARTS, &MOMENTS])?;
        cx.dispatch(kernel, &[x.clone(), partial.clone()], cut.workgroups());
        let kernel = settle(cut.kernel(cx, &[&MERGE_MOMENTS, &SETTLE, &MERGE])?);
        let operands: Vec<_> = [x, partial].into_iter().chain(results).collect();
        cx.dispatch(kernel, &operands, cut.channels);
        Ok(())
    }
}

/// Normalises by the batch's statistics. Inputs: x (N, C, ...), and (C) each: weight, bias, running
/// mean, running variance. Outputs: y; statistics (C, 4) for [`BatchNormGrad`]; and in place the new
/// running mean and variance. The variance is the biased one for y, the unbiased one where it runs.
///
/// A channel's statistics are its first element, the mean less that (a mean far from zero would lose
/// digits in f32), one over the standard deviation, and that times the weight.
#[derive(Clone, Debug, PartialEq)]
pub struct BatchNormTrain(pub BatchNorm);

impl Operator for BatchNormTrain {
    fn name(&self) -> &'static str {
        "batch_norm"
    }

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        self.0.check()?;
        let channels = channels(inputs[0])?;
        let each = TensorType::f32([channels]);
        check_each(&inputs[1..], &["weight", "bias", "running_mean", "running_var"], &each)?;
        if inputs[0].shape.elements() == channels {
            return Err(format!("expected more than 1 value per channel when training, found {}", inputs[0]));
        }
        Ok(vec![inputs[0].clone(), TensorType::f32([channels, 4]), each.clone(), each])
    }

    fn backward(&self, cx: &mut Backward<'_>) -> Result<()> {
        let gradient = cx.output_gradient(0)?;
        let inputs = [cx.input(0), gradient, cx.output(1)];
        for (i, gradient) in cx.apply(BatchNormGrad::default(), &inputs)?.into_iter().enumerate() {
            cx.set(i, gradient);
        }
        Ok(())
    }

    fn variants(&self, _inputs: &[&TensorType], _caps: &Caps) -> Vec<&'static str> {
        VARIANTS.to_vec()
    }

    fn lower(&self, cx: &mut Lower<'_>) -> Result<()> {
        let statistics = cx.output(1);
        self.0.lower_statistics(cx)?;
        let (kernel, groups, width) = flat(cx, &cx.input_type(0).shape, &[&APPLY])?;
        let operands = [cx.input(0), statistics, cx.input(2), cx.output(0)];
        cx.dispatch_finished(kernel, &operands, groups, width);
        Ok(())
    }

    fn finishes(&self) -> bool {
        true
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let [x, weight, bias, mean, var] = [0, 1, 2, 3, 4].map(|i| inputs[i]);
        reference::train(x, weight, bias, mean, var, &self.0)
    }

    fn in_place(&self) -> Vec<(usize, usize)> {
        vec![(2, 3), (3, 4)]
    }

    fn flops(&self, inputs: &[&TensorType]) -> u64 {
        8 * inputs[0].shape.elements() as u64
    }
}

/// Normalises by the running statistics. Inputs: x (N, C, ...), and (C) each: weight, bias, running
/// mean, running variance. Output: y.
#[derive(Clone, Debug, PartialEq)]
pub struct BatchNormEval(pub BatchNorm);

impl Operator for BatchNormEval {
    fn name(&self) -> &'static str {
        "batch_norm_eval"
    }

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        self.0.check()?;
        let each = TensorType::f32([channels(inputs[0])?]);
        check_each(&inputs[1..], &["weight", "bias", "running_mean", "running_var"], &each)?;
        Ok(vec![inputs[0].clone()])
    }

    fn backward(&self, cx: &mut Backward<'_>) -> Result<()> {
        let gradient = cx.output_gradient(0)?;
        let inputs = [cx.input(0), gradient, cx.input(1), cx.input(3), cx.input(4)];
        for (i, gradient) in cx.apply(BatchNormEvalGrad(self.0), &inputs)?.into_iter().enumerate() {
            cx.set(i, gradient);
        }
        Ok(())
    }

    fn pointwise(&self, inputs: &[&TensorType]) -> Option<Pointwise> {
        let shape = &inputs[0].shape;
        let each = Reach::Channel { channels: shape[1], plane: shape[2..].iter().product() };
        Some(Pointwise {
            file: &EVAL,
            function: "batch_norm_eval",
            reach: vec![Reach::Same, each, each, each, each],
            numbers: vec![self.0.eps],
        })
    }

    fn lower(&self, cx: &mut Lower<'_>) -> Result<()> {
        pointwise::lower(cx)
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        vec![reference::eval(inputs[0], inputs[1], inputs[2], inputs[3], inputs[4], &self.0)]
    }

    fn flops(&self, inputs: &[&TensorType]) -> u64 {
        3 * inputs[0].shape.elements() as u64
    }
}

impl Graph {
    /// Normalises each channel of `x` (N, C) or (N, C, ...), then scales by `weight` and shifts by
    /// `bias`. In [`Mode::Train`] by the batch's mean and variance, and `running_mean` and
    /// `running_var` move to them in place; in [`Mode::Eval`] by the running ones. All four are (C).
    ///
    /// # Errors
    /// Another rank, type or number of channels; one value per channel in training; an `eps` not
    /// above 0 or a `momentum` outside 0 to 1; running statistics that were updated earlier in the
    /// graph.
    #[allow(clippy::too_many_arguments, reason = "PyTorch's list")]
    pub fn batch_norm(
        &mut self,
        x: Value,
        weight: Value,
        bias: Value,
        running_mean: Value,
        running_var: Value,
        attributes: BatchNorm,
        mode: Mode,
    ) -> Result<Value> {
        let inputs = [x, weight, bias, running_mean, running_var];
        match mode {
            Mode::Train => Ok(self.apply(BatchNormTrain(attributes), &inputs)?[0]),
            Mode::Eval => self.apply1(BatchNormEval(attributes), &inputs),
        }
    }
}
