//! A mean over the micro-batches of a step, in the middle of it: what synchronised batch norm is made of.

use super::elementwise;
use crate::error::Result;
use crate::graph::{Graph, Value};
use crate::op::{BackwardContext, LowerContext, Operator};
use crate::ops::checks;
use crate::tensor::TensorType;

/// The mean of a tensor over so many micro-batches of a step. Input: x. Output: the mean, of x's shape.
///
/// By itself it is a copy, the mean over one. [`DataParallel`](crate::session::DataParallel) stops each micro-batch behind
/// it, and puts the mean over all of them in the copy's place. The gradient of a mean of losses is the same mean of the
/// micro-batches' gradients.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MicroBatchMean {
    /// Micro-batches of a step, on all ranks together.
    pub micro_batches: usize,
}

impl Operator for MicroBatchMean {
    fn name(&self) -> &'static str {
        "micro_batch_mean"
    }

    fn arity(&self) -> (usize, usize) {
        (1, 1)
    }

    fn keeps_f32(&self, _output: usize) -> bool {
        true
    }

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        checks::f32_input(inputs[0])?;
        if self.micro_batches == 0 {
            return Err("0 micro-batches have no mean; found 0, expected at least 1".into());
        }
        Ok(vec![inputs[0].clone()])
    }

    fn backward(&self, cx: &mut BackwardContext<'_>) -> Result<()> {
        let gradient = cx.output_gradient(0)?;
        let mean = cx.graph.apply(*self, &[gradient])?[0];
        cx.set(0, mean);
        Ok(())
    }

    fn lower(&self, cx: &mut LowerContext<'_>) -> Result<()> {
        elementwise::copy(cx)
    }

    fn tolerance(&self) -> f64 {
        0.0
    }

    fn only_moves(&self) -> bool {
        true
    }

    fn micro_batches(&self) -> Option<usize> {
        Some(self.micro_batches)
    }
}

impl Graph {
    /// The mean of `x` over the `micro_batches` of a step of [`DataParallel`](crate::session::DataParallel), and `x` in a
    /// step of one.
    ///
    /// # Errors
    /// An `x` that is not f32; no micro-batch.
    pub fn micro_batch_mean(&mut self, x: Value, micro_batches: usize) -> Result<Value> {
        self.apply1(MicroBatchMean { micro_batches }, &[x])
    }
}
