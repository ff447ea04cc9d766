//! Cross-entropy of logits with class labels, and its gradient.
//!
//! Softmax, logarithm and mean are one operator, so that large logits neither overflow nor cancel.

use super::Operator;
use super::softmax::team;
use crate::error::Result;
use crate::graph::{Backward, Graph, Value};
use crate::plan::{Caps, Lower};
use crate::reference::{Array, cross_entropy as reference};
use crate::shader::{Kernel, ShaderFile};
use crate::shader_file;
use crate::tensor::{DType, Shape, TensorType};

static GROUP: ShaderFile = shader_file!("shared/group");
static TEAM: ShaderFile = shader_file!("shared/team");
static LOG1P: ShaderFile = shader_file!("shared/log1p");
static LABEL: ShaderFile = shader_file!("shared/label");
static MEAN_LOSS: ShaderFile = shader_file!("shared/mean_loss");
static WHOLE: ShaderFile = shader_file!("cross_entropy");
static ROWS: ShaderFile = shader_file!("cross_entropy_rows");
static MEAN: ShaderFile = shader_file!("cross_entropy_mean");
static GRAD: ShaderFile = shader_file!("cross_entropy_grad");
static ROW_LOSS: ShaderFile = shader_file!("shared/row_loss");
static WITH_GRAD: ShaderFile = shader_file!("cross_entropy_with_grad");

/// Logits, and classes of a row, up to which one workgroup makes the loss alone: reading them
/// then takes it less time than a second dispatch.
const WHOLE_LOGITS: usize = 1 << 14;
const WHOLE_CLASSES: usize = 64;

/// Mean over the rows of `logits [n, classes]` of `-log(softmax(logits)[label])`, rows with the
/// ignored label left out. Inputs: logits, labels (i32 `[n]`). Outputs: the loss, and how many
/// labels counted, both f32 scalars.
///
/// With no label that counts the loss and its gradient are 0. (PyTorch's mean is NaN then, which
/// would end a training run over one empty batch.) A label outside the classes counts as ignored
/// here; a session refuses it before upload where labels are an input.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct CrossEntropy {
    /// The label of rows that take no part.
    pub ignore_index: i32,
}

impl Default for CrossEntropy {
    /// PyTorch's defaults.
    fn default() -> Self {
        CrossEntropy { ignore_index: -100 }
    }
}

impl CrossEntropy {
    /// Whether one workgroup makes the loss of such logits.
    pub(crate) fn is_whole(self, logits: &TensorType) -> bool {
        let [rows, classes] = sizes(logits);
        rows.saturating_mul(classes) <= WHOLE_LOGITS && classes <= WHOLE_CLASSES
    }

    /// Sets the constants that every kernel of the family has.
    fn labelled(self, cx: &Lower<'_>, kernel: Kernel, [rows, classes]: [usize; 2]) -> Result<Kernel> {
        Ok(kernel
            .with("ROWS", cx.index(rows)?)
            .with("CLASSES", cx.index(classes)?)
            .with("IGNORED", self.ignore_index))
    }
}

/// Rows and classes of logits with a label a row.
pub(super) fn rows_and_classes(logits: &TensorType, labels: &TensorType) -> Result<[usize; 2], String> {
    if logits.dtype != DType::F32 || logits.shape.len() != 2 {
        return Err(format!("expects f32 logits of shape [rows, classes], found {logits}"));
    }
    if labels.dtype != DType::I32 || labels.shape.len() != 1 {
        return Err(format!("expects i32 labels of shape [rows], found {labels}"));
    }
    let (rows, classes) = (logits.shape[0], logits.shape[1]);
    if labels.shape[0] != rows {
        return Err(format!("logits {} have {rows} rows, found {} labels", logits.shape, labels.shape[0]));
    }
    Ok([rows, classes])
}

/// Sizes of a two-dimensional input that the shape rule has let pass.
fn sizes(logits: &TensorType) -> [usize; 2] {
    [logits.shape[0], logits.shape[1]]
}

impl Operator for CrossEntropy {
    fn name(&self) -> &'static str {
        "cross_entropy"
    }

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        rows_and_classes(inputs[0], inputs[1])?;
        Ok(vec![TensorType::f32(Shape::scalar()), TensorType::f32(Shape::scalar())])
    }

    fn backward(&self, cx: &mut Backward<'_>) -> Result<()> {
        if cx.wants(0) {
            let inputs = [cx.input(0), cx.input(1), cx.output(1), cx.output_gradient(0)?];
            let gradient = cx.apply1(CrossEntropyGrad { forward: *self }, &inputs)?;
            cx.set(0, gradient);
        }
        Ok(())
    }

    fn variants(&self, inputs: &[&TensorType], _caps: &Caps) -> Vec<&'static str> {
        if self.is_whole(inputs[0]) { vec!["whole", "rows"] } else { vec!["rows"] }
    }

    fn lower(&self, cx: &mut Lower<'_>) -> Result<()> {
        let [rows, classes] = sizes(cx.input_type(0));
        let (logits, labels) = (cx.input(0), cx.input(1));
        let (loss, count) = (cx.output(0), cx.output(1));
        if cx.variant() == "whole" {
            let kernel = self.labelled(
                cx,
                Kernel::new(&[&LOG1P, &LABEL, &MEAN_LOSS, &ROW_LOSS, &WHOLE]),
                [rows, classes],
            )?;
            cx.dispatch(kernel, &[logits, labels, loss, count], 1);
            return Ok(());
        }
        let losses = cx.temporary(rows);
        let team = team(classes);
        let kernel = Kernel::new(&[&GROUP, &TEAM, &LOG1P, &LABEL, &ROWS]).with("TEAM", team as u32);
        let kernel = self.labelled(cx, kernel, [rows, classes])?;
        cx.dispatch(kernel, &[logits, labels.clone(), losses.clone()], rows.div_ceil(64 / team));
        let kernel = self.labelled(cx, Kernel::new(&[&LABEL, &MEAN_LOSS, &MEAN]), [rows, classes])?;
        cx.dispatch(kernel, &[losses, labels, loss, count], 1);
        Ok(())
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let (loss, count) = reference::cross_entropy(self, inputs[0], inputs[1]);
        vec![loss, count]
    }

    fn flops(&self, inputs: &[&TensorType]) -> u64 {
        4 * inputs[0].shape.elements() as u64
    }
}

/// Gradient of [`CrossEntropy`] by the logits: `(softmax - one hot) * dloss / count`. Inputs:
/// logits, labels, count, gradient of the loss.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct CrossEntropyGrad {
    /// The loss.
    pub forward: CrossEntropy,
}

impl Operator for CrossEntropyGrad {
    fn name(&self) -> &'static str {
        "cross_entropy_grad"
    }

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        rows_and_classes(inputs[0], inputs[1])?;
        for scalar in &inputs[2..4] {
            if **scalar != TensorType::f32(Shape::scalar()) {
                return Err(format!("expects count and gradient as f32 scalars, found {scalar}"));
            }
        }
        Ok(vec![inputs[0].clone()])
    }

    fn lower(&self, cx: &mut Lower<'_>) -> Result<()> {
        let [rows, classes] = sizes(cx.input_type(0));
        let team = team(classes);
        let kernel = Kernel::new(&[&GROUP, &TEAM, &LABEL, &GRAD]).with("TEAM", team as u32);
        let kernel = self.forward.labelled(cx, kernel, [rows, classes])?;
        let operands = [cx.input(0), cx.input(1), cx.input(2), cx.input(3), cx.output(0)];
        cx.dispatch(kernel, &operands, rows.div_ceil(64 / team));
        Ok(())
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        vec![reference::cross_entropy_grad(&self.forward, inputs[0], inputs[1], inputs[2], inputs[3])]
    }

    fn flops(&self, inputs: &[&TensorType]) -> u64 {
        6 * inputs[0].shape.elements() as u64
    }
}

/// [`CrossEntropy`] and [`CrossEntropyGrad`] at once, for few logits. Inputs: logits, labels, gradient
/// of the loss. Outputs: loss, count, gradient of the logits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct CrossEntropyWithGrad {
    /// The loss.
    pub forward: CrossEntropy,
}

impl Operator for CrossEntropyWithGrad {
    fn name(&self) -> &'static str {
        "cross_entropy_with_grad"
    }

    fn describe(&self) -> String {
        "cross_entropy + cross_entropy_grad".into()
    }

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        let mut outputs = self.forward.infer(&inputs[..2])?;
        if !self.forward.is_whole(inputs[0]) {
            return Err(format!(
                "expects at most {WHOLE_LOGITS} logits and {WHOLE_CLASSES} classes, found {}",
                inputs[0]
            ));
        }
        let scalars = [inputs[0], inputs[1], &outputs[1], inputs[2]];
        outputs.extend(CrossEntropyGrad { forward: self.forward }.infer(&scalars)?);
        Ok(outputs)
    }

    fn lower(&self, cx: &mut Lower<'_>) -> Result<()> {
        let kernel = Kernel::new(&[&LOG1P, &LABEL, &MEAN_LOSS, &ROW_LOSS, &WITH_GRAD]);
        let kernel = self.forward.labelled(cx, kernel, sizes(cx.input_type(0)))?;
        let operands = [cx.input(0), cx.input(1), cx.output(0), cx.output(1), cx.input(2), cx.output(2)];
        cx.dispatch(kernel, &operands, 1);
        Ok(())
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let mut outputs = self.forward.reference(&inputs[..2]);
        let gradient = CrossEntropyGrad { forward: self.forward };
        let further = gradient.reference(&[inputs[0], inputs[1], &outputs[1], inputs[2]]);
        outputs.extend(further);
        outputs
    }

    fn flops(&self, inputs: &[&TensorType]) -> u64 {
        10 * inputs[0].shape.elements() as u64
    }
}

impl Graph {
    /// The mean cross-entropy of `logits [n, classes]` with `labels` (i32 `[n]`), a scalar. Rows
    /// labelled -100 take no part.
    ///
    /// # Errors
    /// Logits that are not `[n, classes]`, or another number of labels.
    pub fn cross_entropy(&mut self, logits: Value, labels: Value) -> Result<Value> {
        self.cross_entropy_with(logits, labels, CrossEntropy::default())
    }

    /// [`Graph::cross_entropy`] with attributes.
    ///
    /// # Errors
    /// As [`Graph::cross_entropy`].
    pub fn cross_entropy_with(
        &mut self,
        logits: Value,
        labels: Value,
        attributes: CrossEntropy,
    ) -> Result<Value> {
        let loss = self.apply(attributes, &[logits, labels])?[0];
        let classes = self.shape(logits)[1];
        self.restrict_labels(self.storage(labels), classes, attributes.ignore_index);
        Ok(loss)
    }
}
