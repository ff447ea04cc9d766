//! Correct predictions, counted on the device, for accuracy. One workgroup counts as long as its loops stay short.
//! Otherwise argmax finds each row's class, and the rows are counted in parts.

use super::argmax::ArgMax;
use super::cross_entropy::rows_and_classes;
use super::loops::{CUT_TERMS, fits, shared, tree};
use super::rows::lanes;
use crate::error::Result;
use crate::graph::{Graph, Ignored, LabelRange, Value};
use crate::op::{LowerContext, Operator};
use crate::shader::{Kernel, kernels};
use crate::tensor::{Shape, TensorType};

/// Invocations of the workgroup that counts, and of those that count parts.
const LANES: usize = 256;
const PART_LANES: usize = 64;

/// The number (u32 scalar) of rows of `logits [n, classes]` whose first maximal logit is the label. A label outside
/// the classes, such as -100, is never correct. Inputs: logits, labels.
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

    fn lower(&self, cx: &mut LowerContext<'_>) -> Result<()> {
        let (rows, classes) = (cx.input_type(0).shape[0], cx.input_type(0).shape[1]);
        let team = lanes(classes);
        let row = 1 + shared(classes, team) + tree(team);
        let iterations = shared(rows, LANES / team).saturating_mul(row) + tree(LANES);
        if !fits(iterations) {
            return lower_long(cx, rows);
        }
        let kernel = Kernel::new(&kernels::correct)
            .with("ROWS", cx.index(rows)?)
            .with("CLASSES", cx.index(classes)?)
            .with("TEAM", team as u32)
            .iterations(iterations);
        let operands = [cx.input(0), cx.input(1), cx.output(0)];
        cx.dispatch(kernel, &operands, 1);
        Ok(())
    }

    fn tolerance(&self) -> f64 {
        0.0
    }
}

/// Records argmax over each row, and the count of correct rows in parts.
fn lower_long(cx: &mut LowerContext<'_>, rows: usize) -> Result<()> {
    let indices = cx.temporary(rows);
    ArgMax { axis: 1, keepdim: false, smallest: false }.lower_into(cx, indices.clone())?;
    let part_rows = CUT_TERMS * PART_LANES;
    let parts = rows.div_ceil(part_rows);
    let counts = cx.temporary(parts);
    let kernel = Kernel::new(&kernels::correct_parts)
        .with("ROWS", cx.index(rows)?)
        .with("PARTS", cx.index(parts)?)
        .with("PART_ROWS", cx.index(part_rows)?)
        .iterations(shared(part_rows.min(rows), PART_LANES) + tree(PART_LANES));
    cx.dispatch(kernel, &[indices, cx.input(1), counts.clone()], parts);
    let kernel = Kernel::new(&kernels::correct_sum)
        .with("PARTS", cx.index(parts)?)
        .iterations(shared(parts, PART_LANES) + tree(PART_LANES));
    cx.dispatch(kernel, &[counts, cx.output(0)], 1);
    Ok(())
}

impl Graph {
    /// The number of rows of `logits [n, classes]` whose first maximum is at their label (i32 `[n]`): a u32 scalar.
    /// Ignored labels never count as correct: those that a loss of the same labels ignores, or -100 if there is no
    /// loss.
    ///
    /// # Errors
    /// Logits that are not `[n, classes]`, or another number of labels.
    pub fn correct_predictions(&mut self, logits: Value, labels: Value) -> Result<Value> {
        self.apply1(CorrectPredictions, &[logits, labels])
    }
}
