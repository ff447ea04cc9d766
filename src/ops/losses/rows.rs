//! Losses of rows of features, made of other operators: cosine embedding and triplet margin. They have no kernels
//! of their own.

use super::{CosineEmbeddingOptions, Reduction, TripletMarginOptions};
use crate::error::Result;
use crate::graph::{Graph, Value};

/// Added to squared norms, as PyTorch's `cosine_embedding_loss` does.
const COSINE_EPS: f32 = 1e-12;

impl TripletMarginOptions {
    fn check(self) -> Result<(), String> {
        let TripletMarginOptions { margin, p, eps, .. } = self;
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
    /// Of each row 1 - cos where y is 1, max(0, cos - margin) where it is -1.
    pub(super) fn cosine_embedding(
        &mut self,
        [x1, x2]: [Value; 2],
        y: Value,
        options: CosineEmbeddingOptions,
    ) -> Result<Value> {
        let CosineEmbeddingOptions { margin, reduction } = options;
        self.check_rows("cosine_embedding_loss", &[x1, x2])?;
        self.check_owned([y])?;
        if self.shape_of(y)[..] != self.shape_of(x1)[..1] {
            let message =
                format!("expects a target for each row of {}, found {}", self.shape_of(x1), self.shape_of(y));
            return Err(self.refusal("cosine_embedding_loss", message));
        }
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

    /// Of each row max(0, d(anchor, positive) - d(anchor, negative) + margin).
    pub(super) fn triplet_margin(
        &mut self,
        [anchor, positive, negative]: [Value; 3],
        options: TripletMarginOptions,
    ) -> Result<Value> {
        self.check_rows("triplet_margin_loss", &[anchor, positive, negative])?;
        options.check().map_err(|message| self.refusal("triplet_margin_loss", message))?;
        let near = self.distance(anchor, positive, options)?;
        let mut far = self.distance(anchor, negative, options)?;
        if options.swap {
            let other = self.distance(positive, negative, options)?;
            far = self.minimum(far, other)?;
        }
        let difference = self.sub(near, far)?;
        let over = self.shift(difference, options.margin)?;
        let losses = self.clamp(over, Some(0.0), None)?;
        self.reduce_losses(losses, options.reduction)
    }

    /// Of each row, the p-norm of a - b + eps.
    fn distance(&mut self, a: Value, b: Value, options: TripletMarginOptions) -> Result<Value> {
        let TripletMarginOptions { p, eps, .. } = options;
        let difference = self.sub(a, b)?;
        let difference = self.shift(difference, eps)?;
        self.vector_norm(difference, p, &[1], false)
    }

    /// The sum of the products of elements, for each row.
    fn sum_of_products(&mut self, a: Value, b: Value) -> Result<Value> {
        let products = self.mul(a, b)?;
        self.sum(products, &[1], false)
    }

    fn reduce_losses(&mut self, losses: Value, reduction: Reduction) -> Result<Value> {
        match reduction {
            Reduction::Mean => self.mean(losses, &[0], false),
            Reduction::Sum => self.sum(losses, &[0], false),
            Reduction::None => Ok(losses),
        }
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
