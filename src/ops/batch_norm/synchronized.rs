//! Batch norm by statistics of all micro-batches of a step, made of other operators.

use crate::error::Result;
use crate::graph::{Graph, Synchronizing, Value};
use crate::ops::running_sum::RunningSum;

impl Graph {
    /// Runs `build`, and lets the batch norms in it normalise by the statistics of all `micro_batches` of a step in
    /// training, instead of those of each: PyTorch's `SyncBatchNorm`. For batches that are cut so small that their own
    /// statistics are poor. Steps of [`DataParallel`](crate::session::DataParallel) with as many micro-batches compute them;
    /// a step of one session has one micro-batch.
    ///
    /// Each batch norm then takes two exchanges between ranks in the forward pass and two in the backward pass, and a rank
    /// with several micro-batches keeps the activations of all of them.
    ///
    /// It holds for the layer [`BatchNorm`](crate::nn::BatchNorm) in [`Mode::Train`](crate::Mode::Train), and changes no
    /// names.
    ///
    /// ```
    /// # fn main() -> wgrad::Result<()> {
    /// use wgrad::nn::{self, Layer};
    /// use wgrad::{Graph, Mode};
    ///
    /// let net = nn::models::resnet18(3, 10);
    /// let mut g = Graph::new();
    /// let images = g.input("images", [2, 3, 64, 64])?; // of a micro-batch
    /// let logits = g.synchronized_statistics(8, |g| net.forward(g, images, Mode::Train))?;
    /// let exchanged = g.nodes().filter(|(_, node)| node.operator.name() == "micro_batch_mean");
    /// assert_eq!(exchanged.count(), 40); // mean and variance of twenty
    /// # Ok(())
    /// # }
    /// ```
    pub fn synchronized_statistics<T>(
        &mut self,
        micro_batches: usize,
        build: impl FnOnce(&mut Graph) -> T,
    ) -> T {
        let synchronizing = Synchronizing { micro_batches, build: synchronized_batch_norm };
        let outer = self.synchronizing().replace(synchronizing);
        let result = build(self);
        *self.synchronizing() = outer;
        result
    }
}

/// A batch norm by the statistics of `micro_batches` together.
fn synchronized_batch_norm(
    g: &mut Graph,
    x: Value,
    affine: Option<[Value; 2]>,
    running: Option<([Value; 2], f32)>,
    eps: f32,
    micro_batches: usize,
) -> Result<Value> {
    let shape = g.shape_of(x).clone();
    let channels = shape[1];
    let others: Vec<usize> = (0..shape.len()).filter(|&axis| axis != 1).collect();
    let mut line = vec![1; shape.len()];
    line[1] = channels;
    let mean = g.mean(x, &others, true)?;
    let mean = g.micro_batch_mean(mean, micro_batches)?;
    let deviation = g.sub(x, mean)?;
    let squares = g.mul(deviation, deviation)?;
    let variance = g.mean(squares, &others, true)?;
    let variance = g.micro_batch_mean(variance, micro_batches)?;
    let shifted = g.shift(variance, eps)?;
    let root = g.sqrt(shifted)?;
    let mut y = g.div(deviation, root)?;
    if let Some([weight, bias]) = affine {
        let weight = g.reshape(weight, &line[..])?;
        let bias = g.reshape(bias, &line[..])?;
        y = g.mul(y, weight)?;
        y = g.add(y, bias)?;
    }
    if let Some(([running_mean, running_variance], share)) = running {
        let elements = (shape.elements() / channels * micro_batches) as f64;
        let unbiased = g.scale(variance, (elements / (elements - 1.0)) as f32)?;
        for (of_batch, running) in [(mean, running_mean), (unbiased, running_variance)] {
            let of_batch = g.reshape(of_batch, [channels])?;
            let step = g.sub(of_batch, running)?;
            let step = g.scale(step, share)?;
            g.apply(RunningSum { once: true }, &[step, running])?;
        }
    }
    Ok(y)
}
