//! Batch norm by statistics of all micro-batches of a step, made of other operators.

use super::{BatchNormTrain, Momentum, Running};
use crate::error::Result;
use crate::graph::{Graph, Value};
use crate::op::Operator;
use crate::ops::running_sum::RunningSum;

impl Graph {
    /// `operator` over `inputs` by the statistics of `micro_batches` together.
    pub(super) fn synchronized_batch_norm(
        &mut self,
        operator: BatchNormTrain,
        inputs: &[Value],
        running: Option<Running>,
        micro_batches: usize,
    ) -> Result<Value> {
        self.check_owned(inputs.iter().copied())?;
        if matches!(running, Some(Running { momentum: Momentum::Cumulative(_), .. })) {
            let message =
                "running statistics that are plain averages can't be synchronised; set a momentum".into();
            return Err(self.refusal("batch_norm", message));
        }
        let types: Vec<_> = inputs.iter().map(|&input| &self.info(input).ty).collect();
        if operator.infer(&types).is_err() {
            // It says what is wrong, and leaves no node.
            return Ok(self.apply(operator, inputs)?[0]);
        }
        let x = inputs[0];
        let shape = self.shape_of(x).clone();
        let channels = shape[1];
        let others: Vec<usize> = (0..shape.len()).filter(|&axis| axis != 1).collect();
        let mut line = vec![1; shape.len()];
        line[1] = channels;
        let mean = self.mean(x, &others, true)?;
        let mean = self.micro_batch_mean(mean, micro_batches)?;
        let deviation = self.sub(x, mean)?;
        let squares = self.mul(deviation, deviation)?;
        let variance = self.mean(squares, &others, true)?;
        let variance = self.micro_batch_mean(variance, micro_batches)?;
        let shifted = self.shift(variance, operator.norm.eps)?;
        let root = self.sqrt(shifted)?;
        let mut y = self.div(deviation, root)?;
        if operator.affine {
            let [weight, bias] = [inputs[1], inputs[2]];
            let weight = self.reshape(weight, &line[..])?;
            let bias = self.reshape(bias, &line[..])?;
            y = self.mul(y, weight)?;
            y = self.add(y, bias)?;
        }
        if let Some(Running {
            mean: running_mean,
            variance: running_variance,
            momentum: Momentum::Share(share),
        }) = running
        {
            let elements = (shape.elements() / channels * micro_batches) as f64;
            let unbiased = self.scale(variance, (elements / (elements - 1.0)) as f32)?;
            for (of_batch, running) in [(mean, running_mean), (unbiased, running_variance)] {
                let of_batch = self.reshape(of_batch, [channels])?;
                let step = self.sub(of_batch, running)?;
                let step = self.scale(step, share)?;
                self.apply(RunningSum { once: true }, &[step, running])?;
            }
        }
        Ok(y)
    }
}
