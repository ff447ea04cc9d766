//! Classes as rows of zeros with a single one.

use crate::error::Result;
use crate::graph::{Graph, Ignored, LabelRange, Value};
use crate::op::occupancy::ITEMS;
use crate::op::{LowerContext, Operator};
use crate::shader::parts;
use crate::tensor::{DType, TensorType};

/// For each label, a row that is 1 at the label's class and 0 elsewhere. Input: labels (i32 of any shape). Output: f32,
/// the labels' shape followed by `classes`. A label outside the classes, such as -100, gives a row of zeros.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct OneHot {
    /// Number of classes.
    pub classes: usize,
}

impl Operator for OneHot {
    fn name(&self) -> &'static str {
        "one_hot"
    }

    fn arity(&self) -> (usize, usize) {
        (1, 1)
    }

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        if inputs[0].dtype != DType::I32 {
            return Err(format!("expects i32 labels, found {}", inputs[0]));
        }
        if self.classes == 0 {
            return Err("expects at least 1 class, found 0".into());
        }
        Ok(vec![TensorType::f32([&inputs[0].shape[..], &[self.classes]].concat())])
    }

    fn labels(&self, _inputs: &[&TensorType]) -> Option<(usize, LabelRange)> {
        Some((0, LabelRange { classes: self.classes, ignored: Ignored::AsLosses }))
    }

    fn lower(&self, cx: &mut LowerContext<'_>) -> Result<()> {
        let elements = cx.output_type(0).shape.elements();
        let (kernel, groups) = cx.made_by(&parts::one_hot, elements, ITEMS)?;
        let kernel = kernel.with("CLASSES", cx.index(self.classes)?);
        let operands = [cx.input(0), cx.output(0)];
        cx.dispatch_epilogue(kernel, &operands, groups, 1);
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
    /// Rows that are 1 at a label's class and 0 elsewhere: f32, the shape of `labels` (i32) followed by `classes`. It
    /// has no gradient. Ignored labels give rows of zeros: those that a loss of the same labels ignores, or -100 if
    /// there is no loss.
    ///
    /// ```
    /// # fn main() -> wgrad::Result<()> {
    /// let mut g = wgrad::Graph::new();
    /// let labels = g.input_i32("labels", [64])?;
    /// let rows = g.one_hot(labels, 10)?;
    /// assert_eq!(g.shape(rows)?[..], [64, 10]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Labels that are not i32, no classes.
    pub fn one_hot(&mut self, labels: Value, classes: usize) -> Result<Value> {
        self.apply1(OneHot { classes }, &[labels])
    }
}
