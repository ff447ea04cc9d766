//! Batch normalisation over the channels of (N, C) and (N, C, ...): in training by the batch's own
//! statistics, in evaluation by the running ones, and the gradients of both.
//!
//! In training a channel's elements are reduced first. If they are many, several workgroups do it and one further
//! dispatch merges their results. Then one kernel over the flat tensor makes the output. This file has the attributes
//! and the graph's method; `train` and `eval` hold the forward passes, `gradients` and `eval` the backward ones,
//! `pool` the fusions with max pooling, `synchronized` statistics over several micro-batches, `reduce` the reductions, and `split` their division among workgroups.
//! Normalisation of rows (`row_norm`) uses the last two as well.

mod eval;
mod gradients;
mod pool;
mod reduce;
mod split;
mod synchronized;
mod train;

pub use eval::{BatchNormEval, BatchNormEvalGrad, BatchNormEvalGradInput};
pub use gradients::BatchNormGrad;
pub use pool::{BatchNormMaxPool, BatchNormMaxPoolGrad};
pub(crate) use pool::{pooled_taps, pools};
pub(crate) use reduce::{Finalizer, Sums, moments};
pub(crate) use split::{ChannelSplit, NARROW, PREFERENCE, VARIANTS, WIDE, flat, flat_gradient, serial_terms};
pub use train::{BatchCount, BatchNormTrain};

use crate::error::Result;
use crate::graph::{Graph, Mode, Synchronizing, Value};
use crate::op::Operator;
use crate::tensor::{DType, TensorType};
/// Attributes of batch normalisation, with PyTorch's names and defaults.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct BatchNorm {
    /// Added to the variance, under the root.
    pub eps: f32,
    /// Weight of the batch's statistics in the new running ones. `None` makes the running statistics plain averages
    /// over all batches: the weight is 1 / (batches so far).
    pub momentum: Option<f32>,
}

impl Default for BatchNorm {
    fn default() -> Self {
        BatchNorm { eps: 1e-5, momentum: Some(0.1) }
    }
}

impl BatchNorm {
    /// The square root must exist for a constant channel, and statistics must stay finite.
    fn check(&self) -> Result<(), String> {
        if !(self.eps > 0.0 && self.eps.is_finite()) {
            return Err(format!("eps must be above 0, found {}", self.eps));
        }
        match self.momentum {
            Some(momentum) if !(0.0..=1.0).contains(&momentum) => {
                Err(format!("momentum must be between 0 and 1, found {momentum}"))
            }
            _ => Ok(()),
        }
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
    match inputs.iter().zip(names).find(|(ty, _)| **ty != expected) {
        Some((found, name)) => Err(format!("expected {name} as {expected}, found {found}")),
        None => Ok(()),
    }
}

/// Checks the inputs (C) behind x, in order.
fn check_parameters(
    inputs: &[&TensorType],
    channels: usize,
    affine: bool,
    tracked: bool,
) -> Result<(), String> {
    let mut names = Vec::new();
    names.extend(affine.then_some(["weight", "bias"]).into_iter().flatten());
    names.extend(tracked.then_some(["running_mean", "running_var"]).into_iter().flatten());
    if inputs.len() != names.len() {
        return Err(format!("expected {} inputs besides x, found {}", names.len(), inputs.len()));
    }
    check_each(inputs, &names, &TensorType::f32([channels]))
}

/// Running statistics of batch normalisation, which training updates in place.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Running {
    /// Mean of each channel, (C).
    pub mean: Value,
    /// Variance of each channel, (C).
    pub variance: Value,
    /// How much a batch counts in them.
    pub momentum: Momentum,
}

/// The share of a batch's statistics in the new running ones.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Momentum {
    /// This share, from 0 to 1. PyTorch's default is 0.1.
    Share(f32),
    /// 1 / (batches so far), which makes plain averages over all batches: PyTorch's `momentum=None`. The value is a
    /// scalar f32 state that counts the batches. The count saturates at 2^24; from then on the share is constant.
    Cumulative(Value),
}

impl Graph {
    /// Normalises each channel of `x` (N, C) or (N, C, ...), then scales by a weight and shifts by a bias, (C) each,
    /// if `affine` has them. [`Mode::Train`] and [`Mode::Population`] use the batch's mean and variance, and move the running ones towards
    /// them in place. The other modes use the running ones. Without running statistics every mode uses the batch's,
    /// like PyTorch's `track_running_stats=False`.
    ///
    /// # Errors
    /// Another rank, type or number of channels; one value per channel if the batch's statistics are used; an `eps`
    /// not above 0 or a momentum outside 0 to 1; running statistics that were updated earlier in the graph.
    pub fn batch_norm(
        &mut self,
        x: Value,
        affine: Option<[Value; 2]>,
        running: Option<Running>,
        eps: f32,
        mode: Mode,
    ) -> Result<Value> {
        let mut inputs = vec![x];
        inputs.extend(affine.into_iter().flatten());
        let (momentum, cumulative) = match running.map(|running| running.momentum) {
            Some(Momentum::Share(share)) => (Some(share), None),
            Some(Momentum::Cumulative(batches)) => (None, Some(batches)),
            None => (BatchNorm::default().momentum, None),
        };
        let norm = BatchNorm { eps, momentum };
        let tracked = running.map(|running| [running.mean, running.variance]);
        inputs.extend(tracked.into_iter().flatten());
        if tracked.is_some() && !matches!(mode, Mode::Train | Mode::Population) {
            return self.apply1(BatchNormEval { norm, affine: affine.is_some() }, &inputs);
        }
        let operator = BatchNormTrain { norm, affine: affine.is_some(), tracked: tracked.is_some() };
        if let Some(Synchronizing { micro_batches, build }) = *self.synchronizing()
            && mode == Mode::Train
        {
            if cumulative.is_some() {
                let message =
                    "running statistics that are plain averages can't be synchronised; set a momentum".into();
                return Err(self.refusal("batch_norm", message));
            }
            if self.infers(&operator, &inputs)? {
                return build(self, x, affine, tracked.zip(momentum), eps, micro_batches);
            }
        }
        if let Some(batches) = cumulative {
            inputs.push(batches);
            // A refused call must leave no node.
            if self.infers(&operator, &inputs)? {
                let counted = self.apply1(BatchCount, &[batches])?;
                inputs.pop();
                inputs.push(counted);
            }
        }
        Ok(self.apply(operator, &inputs)?[0])
    }

    /// Whether the operator takes these inputs.
    fn infers(&self, operator: &BatchNormTrain, inputs: &[Value]) -> Result<bool> {
        self.check_owned(inputs.iter().copied())?;
        let types: Vec<_> = inputs.iter().map(|&input| &self.info(input).ty).collect();
        Ok(operator.infer(&types).is_ok())
    }
}
