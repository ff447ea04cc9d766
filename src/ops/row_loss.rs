//! Losses of rows of features: cosine embedding and triplet margin. They are made of other operators and have no
//! kernels. Losses of elements are in `loss`, those of class labels in `cross_entropy`.

use super::loss::Reduction;
use crate::error::Result;
use crate::graph::{Graph, Value};

/// Added to squared norms, as PyTorch's `cosine_embedding_loss` does.
const COSINE_EPS: f32 = 1e-12;

/// Attributes of [`Graph::triplet_margin_loss`], with PyTorch's names and defaults.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct TripletMargin {
    /// By how much negative rows have to be further away than positive ones.
    pub margin: f32,
    /// The norm that measures distance; 2 is the Euclidean one.
    pub p: f32,
    /// Added to each difference.
    pub eps: f32,
    /// Whether to use the distance between positive and negative if it is smaller than that between anchor and
    /// negative.
    pub swap: bool,
}

impl Default for TripletMargin {
    fn default() -> Self {
        TripletMargin { margin: 1.0, p: 2.0, eps: 1e-6, swap: false }
    }
}

impl TripletMargin {
    fn check(self) -> Result<(), String> {
        let TripletMargin { margin, p, eps, .. } = self;
        if !(margin > 0.0 && margin.is_finite()) {
            return Err(format!("margin must be greater than 0, got {margin}"));
        }
        if !(p > 0.0 && p.is_finite()) {
            return Err(format!("p must be above 0 and finite, found {p}"));
        }
        if !eps.is_finite() {
            return Err(format!("eps must be a finite number, found {eps}"));
        }
        Ok(())
    }
}

impl Graph {
    /// With y = 1 the loss of two rows is 1 - cos, with y = -1 it is max(0, cos - margin), where cos is the cosine of
    /// the angle between them. `x1` and `x2` are (n, features), `y` (n) holds only 1 and -1. The result is a scalar,
    /// or (n) without reduction.
    ///
    /// # Errors
    /// Shapes that do not fit; a margin that is not a finite number.
    pub fn cosine_embedding_loss(
        &mut self,
        x1: Value,
        x2: Value,
        y: Value,
        margin: f32,
        reduction: Reduction,
    ) -> Result<Value> {
        self.check_rows("cosine_embedding_loss", &[x1, x2])?;
        self.check_owned([y])?;
        if self.shape_of(y)[..] != self.shape_of(x1)[..1] {
            let message =
                format!("expects a target for each row of {}, found {}", self.shape_of(x1), self.shape_of(y));
            return Err(self.refusal("cosine_embedding_loss", message));
        }
        self.check_batch_mean("cosine_embedding_loss", reduction)?;
        if !margin.is_finite() {
            let message = format!("margin must be a finite number, found {margin}");
            return Err(self.refusal("cosine_embedding_loss", message));
        }
        let dot = self.sum_of_products(x1, x2)?;
        let mut squares = Vec::with_capacity(2);
        for x in [x1, x2] {
            let square = self.sum_of_products(x, x)?;
            squares.push(self.shift(square, COSINE_EPS)?);
        }
        let product = self.mul(squares[0], squares[1])?;
        let norms = self.sqrt(product)?;
        let cosine = self.div(dot, norms)?;
        // (1 + y) / 2 is 1 for similar rows and 0 for others; (1 - y) / 2 is the opposite.
        let minus = self.neg(cosine)?;
        let apart = self.shift(minus, 1.0)?;
        let over = self.shift(cosine, -margin)?;
        let close = self.clamp(over, Some(0.0), None)?;
        let half = self.scale(y, 0.5)?;
        let alike = self.shift(half, 0.5)?;
        let minus = self.neg(half)?;
        let others = self.shift(minus, 0.5)?;
        let [alike, others] = [self.mul(alike, apart)?, self.mul(others, close)?];
        let losses = self.add(alike, others)?;
        self.reduce_losses(losses, reduction)
    }

    /// max(0, d(anchor, positive) - d(anchor, negative) + margin) of each row, where d(a, b) is the p-norm of a - b +
    /// eps. All three are (n, features). The result is a scalar, or (n) without reduction.
    ///
    /// # Errors
    /// Shapes that differ; `p` or a margin not above 0; an eps that is not a finite number.
    pub fn triplet_margin_loss(
        &mut self,
        anchor: Value,
        positive: Value,
        negative: Value,
        attributes: TripletMargin,
        reduction: Reduction,
    ) -> Result<Value> {
        self.check_rows("triplet_margin_loss", &[anchor, positive, negative])?;
        self.check_batch_mean("triplet_margin_loss", reduction)?;
        attributes.check().map_err(|message| self.refusal("triplet_margin_loss", message))?;
        let near = self.distance(anchor, positive, attributes)?;
        let mut far = self.distance(anchor, negative, attributes)?;
        if attributes.swap {
            let other = self.distance(positive, negative, attributes)?;
            far = self.minimum(far, other)?;
        }
        let difference = self.sub(near, far)?;
        let over = self.shift(difference, attributes.margin)?;
        let losses = self.clamp(over, Some(0.0), None)?;
        self.reduce_losses(losses, reduction)
    }

    /// The p-norm of a - b + eps, for each row.
    fn distance(&mut self, a: Value, b: Value, attributes: TripletMargin) -> Result<Value> {
        let TripletMargin { p, eps, .. } = attributes;
        let difference = self.sub(a, b)?;
        let difference = self.shift(difference, eps)?;
        self.vector_norm(difference, p, &[1], false)
    }

    /// The sum of the products of elements, for each row.
    fn sum_of_products(&mut self, a: Value, b: Value) -> Result<Value> {
        let products = self.mul(a, b)?;
        self.sum(products, &[1], false)
    }

    /// Appends the reduction. [`Graph::check_batch_mean`] must have passed.
    fn reduce_losses(&mut self, losses: Value, reduction: Reduction) -> Result<Value> {
        match reduction {
            Reduction::Mean | Reduction::BatchMean => self.mean(losses, &[0], false),
            Reduction::Sum => self.sum(losses, &[0], false),
            Reduction::None => Ok(losses),
        }
    }

    fn check_batch_mean(&self, operator: &'static str, reduction: Reduction) -> Result<()> {
        if reduction == Reduction::BatchMean {
            let message = "the mean over the batch is the mean here; take that";
            return Err(self.refusal(operator, message.into()));
        }
        Ok(())
    }

    fn check_rows(&self, operator: &'static str, rows: &[Value]) -> Result<()> {
        self.check_owned(rows.iter().copied())?;
        let shape = self.shape_of(rows[0]);
        match rows.iter().find(|&&x| shape.len() != 2 || self.shape_of(x) != shape) {
            Some(&x) => {
                let message =
                    format!("expects (n, features) of one shape, found {shape} and {}", self.shape_of(x));
                Err(self.refusal(operator, message))
            }
            None => Ok(()),
        }
    }
}
