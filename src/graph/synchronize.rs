//! Batch norms by the statistics of all micro-batches of a step.

use super::Graph;

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
        let outer = self.synchronizing.replace(micro_batches);
        let result = build(self);
        self.synchronizing = outer;
        result
    }

    /// The micro-batches whose statistics batch norms that are built now share.
    pub(crate) fn synchronizes_statistics(&self) -> Option<usize> {
        self.synchronizing
    }
}
