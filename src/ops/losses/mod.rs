//! The losses as users call them: `loss(x, target)` with PyTorch's defaults, and `loss_with(x, target, options)`.
//!
//! A loss is a scalar, or with [`Reduction::None`] one number for each element, label or row. What computes them is in
//! `cross_entropy`, `loss` and `rows`.

mod options;
mod rows;

pub use options::{
    BceWithLogitsOptions, CosineEmbeddingOptions, CrossEntropyOptions, HuberOptions, KlDivOptions, L1Options,
    MseOptions, NllOptions, Reduction, SmoothL1Options, TripletMarginOptions,
};

use super::cross_entropy::{ClassScores, CrossEntropy};
use super::loss::{ElementLoss, ElementReduction, Loss};
use crate::error::Result;
use crate::graph::{Graph, Value};

impl Graph {
    /// The mean cross-entropy of `logits (n, classes)` with `labels` (i32 `(n)`), a scalar; or of `(n, classes,
    /// ...)` with `(n, ...)`, such as a label for each pixel. Rows labelled -100 take no part.
    ///
    /// ```
    /// # fn main() -> wgrad::Result<()> {
    /// use wgrad::Graph;
    /// use wgrad::ops::losses::CrossEntropyOptions;
    ///
    /// let mut g = Graph::new();
    /// let logits = g.input("logits", [8, 21, 64, 64])?;
    /// let labels = g.input_i32("labels", [8, 64, 64])?;
    /// let loss = g.cross_entropy(logits, labels)?;
    /// assert_eq!(g.shape(loss)?.len(), 0);
    /// // Segmentation: pixels of the border are labelled 255.
    /// let options = CrossEntropyOptions::new().ignore_index(255).label_smoothing(0.1);
    /// let loss = g.cross_entropy_with(logits, labels, options)?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Logits that are not `(n, classes, ...)`, or another number of labels.
    pub fn cross_entropy(&mut self, logits: Value, labels: Value) -> Result<Value> {
        self.cross_entropy_with(logits, labels, CrossEntropyOptions::new())
    }

    /// [`Graph::cross_entropy`] with options.
    ///
    /// # Errors
    /// As [`Graph::cross_entropy`]; weights of another shape; smoothing outside 0 to 1.
    pub fn cross_entropy_with(
        &mut self,
        logits: Value,
        labels: Value,
        options: CrossEntropyOptions,
    ) -> Result<Value> {
        let CrossEntropyOptions { weight, ignore_index, label_smoothing, reduction } = options;
        let scores = ClassScores::Logits;
        let operator = CrossEntropy { ignore_index, label_smoothing, reduction, scores };
        self.of_labels(operator, logits, labels, weight)
    }

    /// The negative log likelihood of `labels` (i32 `(n, ...)`) under the logarithms of probabilities `(n, classes,
    /// ...)` that [`Graph::log_softmax`] makes, the mean over the labels. Rows labelled -100 take no part.
    ///
    /// # Errors
    /// Scores that are not `(n, classes, ...)`, or another number of labels.
    pub fn nll_loss(&mut self, log_probabilities: Value, labels: Value) -> Result<Value> {
        self.nll_loss_with(log_probabilities, labels, NllOptions::new())
    }

    /// [`Graph::nll_loss`] with options.
    ///
    /// # Errors
    /// As [`Graph::nll_loss`]; weights of another shape.
    pub fn nll_loss_with(
        &mut self,
        log_probabilities: Value,
        labels: Value,
        options: NllOptions,
    ) -> Result<Value> {
        let NllOptions { weight, ignore_index, reduction } = options;
        let scores = ClassScores::LogProbabilities;
        let operator = CrossEntropy { ignore_index, label_smoothing: 0.0, reduction, scores };
        self.of_labels(operator, log_probabilities, labels, weight)
    }

    fn of_labels(
        &mut self,
        operator: CrossEntropy,
        scores: Value,
        labels: Value,
        weight: Option<Value>,
    ) -> Result<Value> {
        let inputs: Vec<Value> = [scores, labels].into_iter().chain(weight).collect();
        Ok(self.apply(operator, &inputs)?[0])
    }

    /// The mean squared difference of two tensors of one shape.
    ///
    /// # Errors
    /// Shapes that differ.
    pub fn mse_loss(&mut self, x: Value, target: Value) -> Result<Value> {
        self.mse_loss_with(x, target, MseOptions::new())
    }

    /// [`Graph::mse_loss`] with options.
    ///
    /// # Errors
    /// Shapes that differ.
    pub fn mse_loss_with(&mut self, x: Value, target: Value, options: MseOptions) -> Result<Value> {
        self.element_loss(ElementLoss::Mse, options.reduction, &[x, target])
    }

    /// The mean absolute difference of two tensors of one shape.
    ///
    /// # Errors
    /// Shapes that differ.
    pub fn l1_loss(&mut self, x: Value, target: Value) -> Result<Value> {
        self.l1_loss_with(x, target, L1Options::new())
    }

    /// [`Graph::l1_loss`] with options.
    ///
    /// # Errors
    /// Shapes that differ.
    pub fn l1_loss_with(&mut self, x: Value, target: Value, options: L1Options) -> Result<Value> {
        self.element_loss(ElementLoss::L1, options.reduction, &[x, target])
    }

    /// The mean of [`ElementLoss::SmoothL1`] of two tensors of one shape: half the squared difference up to 1, and
    /// from there on a straight line.
    ///
    /// # Errors
    /// Shapes that differ.
    pub fn smooth_l1_loss(&mut self, x: Value, target: Value) -> Result<Value> {
        self.smooth_l1_loss_with(x, target, SmoothL1Options::new())
    }

    /// [`Graph::smooth_l1_loss`] with options.
    ///
    /// # Errors
    /// Shapes that differ; a `beta` below 0.
    pub fn smooth_l1_loss_with(
        &mut self,
        x: Value,
        target: Value,
        options: SmoothL1Options,
    ) -> Result<Value> {
        let SmoothL1Options { beta, reduction } = options;
        self.element_loss(ElementLoss::SmoothL1 { beta }, reduction, &[x, target])
    }

    /// The mean of [`ElementLoss::Huber`] of two tensors of one shape: half the squared difference up to 1, and from
    /// there on a straight line.
    ///
    /// # Errors
    /// Shapes that differ.
    pub fn huber_loss(&mut self, x: Value, target: Value) -> Result<Value> {
        self.huber_loss_with(x, target, HuberOptions::new())
    }

    /// [`Graph::huber_loss`] with options.
    ///
    /// # Errors
    /// Shapes that differ; a `delta` not above 0.
    pub fn huber_loss_with(&mut self, x: Value, target: Value, options: HuberOptions) -> Result<Value> {
        let HuberOptions { delta, reduction } = options;
        self.element_loss(ElementLoss::Huber { delta }, reduction, &[x, target])
    }

    /// The mean binary cross-entropy of `logits` with `targets` from 0 to 1, both of one shape: PyTorch's
    /// `binary_cross_entropy_with_logits`.
    ///
    /// # Errors
    /// Shapes that differ.
    pub fn bce_with_logits_loss(&mut self, logits: Value, targets: Value) -> Result<Value> {
        self.bce_with_logits_loss_with(logits, targets, BceWithLogitsOptions::new())
    }

    /// [`Graph::bce_with_logits_loss`] with options.
    ///
    /// # Errors
    /// Shapes that differ; weights that do not stretch to them.
    pub fn bce_with_logits_loss_with(
        &mut self,
        logits: Value,
        targets: Value,
        options: BceWithLogitsOptions,
    ) -> Result<Value> {
        let inputs: Vec<Value> = [logits, targets].into_iter().chain(options.pos_weight).collect();
        self.element_loss(ElementLoss::BceWithLogits, options.reduction, &inputs)
    }

    /// The mean over the elements of the Kullback-Leibler divergence of the probabilities `target` from those whose
    /// logarithms are `x`, both of one shape.
    ///
    /// # Errors
    /// Shapes that differ.
    pub fn kl_div_loss(&mut self, x: Value, target: Value) -> Result<Value> {
        self.kl_div_loss_with(x, target, KlDivOptions::new())
    }

    /// [`Graph::kl_div_loss`] with options.
    ///
    /// # Errors
    /// Shapes that differ.
    pub fn kl_div_loss_with(&mut self, x: Value, target: Value, options: KlDivOptions) -> Result<Value> {
        let KlDivOptions { log_target, reduction } = options;
        let element = if log_target { ElementLoss::KlDivOfLogarithms } else { ElementLoss::KlDiv };
        self.element_loss(element, reduction, &[x, target])
    }

    fn element_loss(
        &mut self,
        element: ElementLoss,
        reduction: impl Into<ElementReduction>,
        inputs: &[Value],
    ) -> Result<Value> {
        self.apply1(Loss { element, reduction: reduction.into() }, inputs)
    }

    /// The mean loss of rows that are to be alike (`y` = 1: 1 - cos) or not (`y` = -1: max(0, cos)), where cos is the
    /// cosine of the angle between them. `x1` and `x2` are (n, features), `y` (n) holds nothing but 1 and -1.
    ///
    /// # Errors
    /// Shapes that do not fit.
    pub fn cosine_embedding_loss(&mut self, x1: Value, x2: Value, y: Value) -> Result<Value> {
        self.cosine_embedding_loss_with(x1, x2, y, CosineEmbeddingOptions::new())
    }

    /// [`Graph::cosine_embedding_loss`] with options.
    ///
    /// # Errors
    /// Shapes that do not fit; a margin that is not a finite number.
    pub fn cosine_embedding_loss_with(
        &mut self,
        x1: Value,
        x2: Value,
        y: Value,
        options: CosineEmbeddingOptions,
    ) -> Result<Value> {
        self.cosine_embedding([x1, x2], y, options)
    }

    /// The mean over the rows of max(0, d(anchor, positive) - d(anchor, negative) + 1), where d(a, b) is the length of
    /// a - b + eps. All three are (n, features).
    ///
    /// ```
    /// # fn main() -> wgrad::Result<()> {
    /// use wgrad::Graph;
    /// use wgrad::ops::losses::TripletMarginOptions;
    ///
    /// let mut g = Graph::new();
    /// let [anchor, positive, negative] =
    ///     [g.input("anchor", [32, 64])?, g.input("positive", [32, 64])?, g.input("negative", [32, 64])?];
    /// let loss = g.triplet_margin_loss(anchor, positive, negative)?;
    /// let options = TripletMarginOptions::new().margin(0.2).swap(true);
    /// let loss = g.triplet_margin_loss_with(anchor, positive, negative, options)?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Shapes that differ.
    pub fn triplet_margin_loss(&mut self, anchor: Value, positive: Value, negative: Value) -> Result<Value> {
        self.triplet_margin_loss_with(anchor, positive, negative, TripletMarginOptions::new())
    }

    /// [`Graph::triplet_margin_loss`] with options.
    ///
    /// # Errors
    /// Shapes that differ; `p` or a margin not above 0; an eps that is not a finite number.
    pub fn triplet_margin_loss_with(
        &mut self,
        anchor: Value,
        positive: Value,
        negative: Value,
        options: TripletMarginOptions,
    ) -> Result<Value> {
        self.triplet_margin([anchor, positive, negative], options)
    }
}
