//! Metrics: sums over an epoch that the device makes, and the figures that follow from them.
//!
//! A [`Metric`] appends nodes to the evaluation graph. Their result is added up over the batches on the device and read
//! once, so that a metric costs no readback for each batch. [`ConfusionMatrix`] is what the metrics of classes and of
//! pixels come from.

mod confusion;

pub use confusion::{Confusion, ConfusionMatrix};

use crate::error::Result;
use crate::graph::{Graph, Value};
use std::fmt;
use std::sync::Arc;

/// What a metric sees of a batch: values of the evaluation graph.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Seen {
    /// What the task predicts, for example logits `[n, classes]`.
    pub prediction: Value,
    /// What it should have predicted, for example labels `[n]`.
    pub target: Option<Value>,
    /// The loss of the batch, a scalar.
    pub loss: Value,
}

impl Seen {
    /// The target, for metrics that need one.
    ///
    /// # Errors
    /// A task without a target.
    pub fn target(&self, g: &Graph) -> Result<Value> {
        self.target.ok_or_else(|| {
            g.refusal(
                "metric",
                "the task has no target; let Task::target name one, or leave the metric out".into(),
            )
        })
    }
}

/// A figure of merit over a data set.
pub trait Metric: fmt::Debug + Send + Sync {
    /// Its name, as callbacks and files show it.
    fn name(&self) -> String;

    /// Appends nodes, and returns the value that is added up over the batches: f32 of any shape, or one u32. Whole
    /// numbers are added exactly.
    ///
    /// # Errors
    /// Those of the operators.
    fn build(&self, g: &mut Graph, seen: &Seen) -> Result<Value>;

    /// The figures that follow from the sum over `samples` samples in `batches` batches, each under its name.
    fn figures(&self, sum: &[f64], samples: u64, batches: u64) -> Vec<(String, f64)>;

    /// The confusion matrix that follows from the sum, if the metric makes one.
    fn confusion(&self, _sum: &[f64]) -> Option<ConfusionMatrix> {
        None
    }

    /// Whether samples under an ignored label add nothing to the sum. Then the last, smaller batch of a data set is
    /// filled up with such samples. Otherwise it is run by a session of its own size.
    fn ignores_padding(&self) -> bool {
        false
    }
}

/// The share of samples whose first largest logit is at their label. For logits `[n, classes]` and labels `[n]`. A label
/// that the data set itself marks as ignored counts as wrong; [`Confusion`] leaves such labels out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Accuracy;

impl Metric for Accuracy {
    fn name(&self) -> String {
        "accuracy".into()
    }

    fn build(&self, g: &mut Graph, seen: &Seen) -> Result<Value> {
        let target = seen.target(g)?;
        g.correct_predictions(seen.prediction, target)
    }

    fn figures(&self, sum: &[f64], samples: u64, _batches: u64) -> Vec<(String, f64)> {
        vec![(self.name(), sum[0] / samples as f64)]
    }

    fn ignores_padding(&self) -> bool {
        true
    }
}

/// The share of samples whose label is among the `k` largest logits. For logits `[n, classes]` and labels `[n]`. Ignored
/// labels of the data set count as in [`Accuracy`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TopK(pub usize);

impl Metric for TopK {
    fn name(&self) -> String {
        format!("top{}", self.0)
    }

    fn build(&self, g: &mut Graph, seen: &Seen) -> Result<Value> {
        let target = seen.target(g)?;
        let within = g.in_top_k(seen.prediction, target, self.0)?;
        g.sum(within, &[0], false)
    }

    fn figures(&self, sum: &[f64], samples: u64, _batches: u64) -> Vec<(String, f64)> {
        vec![(self.name(), sum[0] / samples as f64)]
    }

    fn ignores_padding(&self) -> bool {
        true
    }
}

type Build = dyn Fn(&mut Graph, &Seen) -> Result<Value> + Send + Sync;

/// A metric of one's own. A function of the graph makes a scalar for each batch, and the figure is its mean over samples.
///
/// ```
/// # fn main() -> wgrad::Result<()> {
/// use wgrad::train::Mean;
///
/// let error = Mean::new("absolute_error", |g, seen| {
///     let target = seen.target(g)?;
///     g.l1_loss(seen.prediction, target)
/// });
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Mean {
    name: String,
    build: Arc<Build>,
}

impl Mean {
    /// A metric of this name. `build` makes an f32 scalar that is the mean over the samples of a batch.
    pub fn new(
        name: impl Into<String>,
        build: impl Fn(&mut Graph, &Seen) -> Result<Value> + Send + Sync + 'static,
    ) -> Self {
        Mean { name: name.into(), build: Arc::new(build) }
    }
}

impl fmt::Debug for Mean {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mean").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Metric for Mean {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn build(&self, g: &mut Graph, seen: &Seen) -> Result<Value> {
        let mean = (self.build)(g, seen)?;
        let shape = g.shape(seen.prediction)?.clone();
        if g.shape(mean)?.elements() != 1 {
            let message = format!("metric \"{}\" makes {}, expected a scalar", self.name, g.value(mean)?.ty);
            return Err(g.refusal("metric", message));
        }
        // A mean over samples weighs each batch by its size.
        g.scale(mean, shape.first().copied().unwrap_or(1) as f32)
    }

    fn figures(&self, sum: &[f64], samples: u64, _batches: u64) -> Vec<(String, f64)> {
        vec![(self.name(), sum[0] / samples as f64)]
    }
}
