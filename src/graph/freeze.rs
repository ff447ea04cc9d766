//! Frozen parameters: those that no optimizer trains, whatever its settings. And running statistics that stay.

use super::{Graph, Value};

impl Graph {
    /// Runs `build`, and freezes the parameters that it declares: they stay in the weights and in files, but no
    /// optimizer trains them, and no gradient of them is made. A parameter that several applications of a layer share
    /// is frozen if one of them is.
    ///
    /// Running statistics are no parameters: build a frozen layer in [`Mode::Eval`](crate::Mode::Eval) to keep them
    /// too. [`Sequential::freeze`](crate::nn::Sequential::freeze) does both.
    ///
    /// ```
    /// # fn main() -> wgrad::Result<()> {
    /// use wgrad::nn::{self, Layer};
    /// use wgrad::{Graph, Mode, optim};
    ///
    /// let (body, head) = (nn::Linear::new(16, 8), nn::Linear::new(8, 4));
    /// let mut g = Graph::new();
    /// let x = g.input("x", [32, 16])?;
    /// let labels = g.input_i32("labels", 32)?;
    /// let features = g.scoped("body", |g| g.frozen(|g| body.forward(g, x, Mode::Eval)))?;
    /// let logits = g.scoped("head", |g| head.forward(g, features, Mode::Train))?;
    /// let loss = g.cross_entropy(logits, labels)?;
    /// assert_eq!(g.backward(loss)?.len(), 2); // of head.weight and head.bias
    /// # Ok(())
    /// # }
    /// ```
    pub fn frozen<T>(&mut self, build: impl FnOnce(&mut Graph) -> T) -> T {
        let outer = std::mem::replace(&mut self.freezing, true);
        let result = build(self);
        self.freezing = outer;
        result
    }

    /// Runs `build`, and lets the batch norms in it normalise by their running statistics in every mode, without updating
    /// them: PyTorch's `bn.eval()` for each of them. Their weights and biases are trained. For fine-tuning with small
    /// batches, whose own statistics are poor.
    ///
    /// It holds for the layer [`BatchNorm`](crate::nn::BatchNorm), if it has running statistics.
    ///
    /// ```
    /// # fn main() -> wgrad::Result<()> {
    /// use wgrad::nn::{self, Layer};
    /// use wgrad::{Graph, Mode};
    ///
    /// let net = nn::models::resnet18(3, 10);
    /// let mut g = Graph::new();
    /// let images = g.input("images", [2, 3, 64, 64])?;
    /// let logits = g.frozen_statistics(|g| net.forward(g, images, Mode::Train))?;
    /// assert_eq!(g.nodes().filter(|(_, node)| node.operator.name() == "batch_norm_eval").count(), 20);
    /// # Ok(())
    /// # }
    /// ```
    pub fn frozen_statistics<T>(&mut self, build: impl FnOnce(&mut Graph) -> T) -> T {
        let outer = std::mem::replace(&mut self.keeping_statistics, true);
        let result = build(self);
        self.keeping_statistics = outer;
        result
    }

    /// Whether batch norms that are built now keep their running statistics.
    pub(crate) fn keeps_statistics(&self) -> bool {
        self.keeping_statistics
    }

    /// Whether a parameter is frozen ([`Graph::frozen`]).
    pub fn is_frozen(&self, parameter: Value) -> bool {
        self.frozen.contains(&parameter)
    }
}
