//! Whether a label is among the k likeliest classes, for top-k accuracy.

use super::cross_entropy::rows_and_classes;
use super::loops::{CUT_TERMS, shared, tree};
use crate::error::Result;
use crate::graph::{Graph, Ignored, LabelRange, Value};
use crate::op::{LowerContext, Operator};
use crate::shader::{Kernel, kernels, parts};
use crate::tensor::TensorType;

/// Invocations that share a row.
const LANES: usize = 64;

/// For each row of `logits [n, classes]`, 1 if fewer than `k` classes come before the label's, else 0. A class comes
/// before another if its logit is larger, or equal at a lower index; NaN is larger than any number. A label outside the
/// classes, such as -100, gives 0. Inputs: logits, labels. Output: f32 `[n]`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct InTopK {
    /// How many classes count.
    pub k: usize,
}

impl Operator for InTopK {
    fn name(&self) -> &'static str {
        "in_top_k"
    }

    fn arity(&self) -> (usize, usize) {
        (2, 2)
    }

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        rows_and_classes(inputs[0], inputs[1])?;
        if self.k == 0 {
            return Err("expects a k of at least 1, found 0".into());
        }
        Ok(vec![TensorType::f32([inputs[0].shape[0]])])
    }

    fn labels(&self, inputs: &[&TensorType]) -> Option<(usize, LabelRange)> {
        Some((1, LabelRange { classes: inputs[0].shape[1], ignored: Ignored::AsLosses }))
    }

    fn lower(&self, cx: &mut LowerContext<'_>) -> Result<()> {
        let (rows, classes) = (cx.input_type(0).shape[0], cx.input_type(0).shape[1]);
        let part = classes.min(CUT_TERMS * LANES);
        let parts = classes.div_ceil(part);
        let counts = cx.temporary(rows * parts);
        let kernel = Kernel::new(&kernels::classes_before)
            .with("ROWS", cx.index(rows)?)
            .with("CLASSES", cx.index(classes)?)
            .with("PARTS", cx.index(parts)?)
            .with("PART_CLASSES", cx.index(part)?)
            .iterations(shared(part, LANES) + tree(LANES));
        let operands = [cx.input(0), cx.input(1), counts.clone()];
        cx.dispatch(kernel, &operands, rows * parts);
        let (kernel, groups) = cx.made_by(&parts::in_top_k, rows, 1)?;
        // A place is never as large as the number of classes, so all of them count.
        let kernel = kernel.with("PARTS", cx.index(parts)?).with("K", cx.index(self.k.min(classes))?);
        let operands = [counts, cx.output(0)];
        cx.dispatch_epilogue(kernel.iterations(parts as u64), &operands, groups, 1);
        Ok(())
    }

    fn has_epilogue(&self) -> bool {
        true
    }

    fn tolerance(&self) -> f64 {
        0.0
    }
}

impl Graph {
    /// For each row of `logits [n, classes]`, 1 if its label (i32 `[n]`) is among the `k` classes of the largest logits,
    /// else 0: f32 `[n]`. Among equal logits the lower class comes first. Ignored labels give 0: those that a loss of
    /// the same labels ignores, or -100 if there is no loss. The mean is the top-k accuracy; it has no gradient.
    ///
    /// ```
    /// # fn main() -> wgrad::Result<()> {
    /// let mut g = wgrad::Graph::new();
    /// let logits = g.input("logits", [64, 1000])?;
    /// let labels = g.input_i32("labels", [64])?;
    /// let right = g.in_top_k(logits, labels, 5)?;
    /// let accuracy = g.mean(right, &[0], false)?;
    /// assert!(g.shape(accuracy)?.is_empty());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Logits that are not `[n, classes]`, another number of labels, a `k` of 0.
    pub fn in_top_k(&mut self, logits: Value, labels: Value, k: usize) -> Result<Value> {
        self.apply1(InTopK { k }, &[logits, labels])
    }
}
