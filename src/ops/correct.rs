//! How many predictions are right: what accuracy is made of, counted on the device.

use super::Operator;
use super::cross_entropy::rows_and_classes;
use super::softmax::team;
use crate::error::Result;
use crate::graph::{Graph, Ignored, LabelRange, Value};
use crate::plan::Lower;
use crate::reference::{Array, cross_entropy as reference};
use crate::shader::{Kernel, ShaderFile};
use crate::shader_file;
use crate::tensor::{Shape, TensorType};

static CORRECT: ShaderFile = shader_file!("correct");

/// The number (u32 scalar) of rows of `logits [n, classes]` whose first maximal logit is the
/// label. A label that is no class, such as -100, is never right. Inputs: logits, labels.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct CorrectPredictions;

impl Operator for CorrectPredictions {
    fn name(&self) -> &'static str {
        "correct_predictions"
    }

    fn arity(&self) -> (usize, usize) {
        (2, 2)
    }

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        rows_and_classes(inputs[0], inputs[1])?;
        Ok(vec![TensorType::u32(Shape::scalar())])
    }

    fn labels(&self, inputs: &[&TensorType]) -> Option<(usize, LabelRange)> {
        Some((1, LabelRange { classes: inputs[0].shape[1], ignored: Ignored::AsLosses }))
    }

    fn lower(&self, cx: &mut Lower<'_>) -> Result<()> {
        let shape = &cx.input_type(0).shape;
        let kernel = Kernel::new(&[&CORRECT])
            .with("ROWS", cx.index(shape[0])?)
            .with("CLASSES", cx.index(shape[1])?)
            .with("TEAM", team(shape[1]) as u32);
        let operands = [cx.input(0), cx.input(1), cx.output(0)];
        cx.dispatch(kernel, &operands, 1);
        Ok(())
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        vec![reference::correct_predictions(inputs[0], inputs[1])]
    }

    fn tolerance(&self) -> f64 {
        0.0
    }
}

impl Graph {
    /// How many rows of `logits [n, classes]` have their first maximum at their label (i32 `[n]`):
    /// a u32 scalar. Rows whose label is no class never count: those that a loss of the same labels ignores, or
    /// -100 where there is no loss.
    ///
    /// # Errors
    /// Logits that are not `[n, classes]`, or another number of labels.
    pub fn correct_predictions(&mut self, logits: Value, labels: Value) -> Result<Value> {
        self.apply1(CorrectPredictions, &[logits, labels])
    }
}
