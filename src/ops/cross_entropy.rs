//! Cross-entropy of logits with class labels, negative log likelihood, and their gradients.
//!
//! Softmax, logarithm and mean are one operator, so that large logits neither overflow nor cancel. Losses
//! of other kinds of targets are in `loss`. Gradients are in `gradients`, rows of very many classes in `long`.

mod gradients;
mod long;

pub use gradients::{CrossEntropyGrad, CrossEntropyWithGrad};

use super::loops::{shared, stretched, tree};
use super::losses::Reduction;
use super::rows::Rows;
use crate::error::Result;
use crate::graph::{Ignored, LabelRange};
use crate::op::{BackwardContext, Caps, LowerContext, Operand, Operator, Preference, Variant};
use crate::ops::serial;
use crate::shader::{Kernel, ShaderFile, kernels, parts};
use crate::tensor::{DType, Shape, TensorType};

const WHOLE: Variant = Variant::new("whole");
const ROWS: Variant = Variant::new("rows");

/// The most logits, and the most classes of a row, for which one workgroup computes the loss alone. Reading them
/// takes it less time than a second dispatch.
const WHOLE_LOGITS: usize = 1 << 14;
const WHOLE_CLASSES: usize = 64;

/// Invocations of a workgroup that works alone, and rows that each adds before it joins them to the others.
const WHOLE_LANES: usize = 256;
const STRETCH: u64 = 64;

/// Rows that a workgroup adds when there are too many for one.
const PART_ROWS: usize = 1 << 12;

/// The scores from which the losses of class labels are computed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ClassScores {
    /// Any numbers, which the softmax turns into probabilities: PyTorch's `cross_entropy`.
    Logits,
    /// Logarithms of probabilities, such as [`Graph::log_softmax`](crate::Graph::log_softmax) makes: PyTorch's `nll_loss`.
    LogProbabilities,
}

/// Loss of class labels, with PyTorch's names, defaults and formula. A row has one label. Its loss is the sum over
/// the classes c of `target[c] * weight[c] * -log(probability[c])`, where target is `label_smoothing / classes`, plus
/// `1 - label_smoothing` at the label. Rows with the ignored label have the loss 0. The reduction then gives the sum
/// of the rows' losses over the sum of the labels' weights, their sum, or each of them.
///
/// Inputs: scores `(N, classes, ...)`, labels (i32 `(N, ...)`), perhaps a weight for each class (f32 `(classes)`, not
/// trained). Outputs: the loss, a scalar or of the labels' shape; and, unless there is one loss per label, the sum of
/// the labels' weights, a scalar.
///
/// If all labels are ignored, the loss and its gradient are 0. (PyTorch's mean is NaN then, which would end a
/// training run over one empty batch.) The kernel ignores labels outside the classes. But a session refuses them
/// before upload if the labels are an input, and the graph if they are a constant. Labels that the step computes are
/// not checked.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct CrossEntropy {
    /// The label of rows to ignore.
    pub ignore_index: i32,
    /// Part of the target that is spread over all classes, from 0 to 1.
    pub label_smoothing: f32,
    /// The reduction of the rows' losses; their mean by default.
    pub reduction: Reduction,
    /// The kind of scores in the first input.
    pub scores: ClassScores,
}

impl Default for CrossEntropy {
    /// PyTorch's defaults.
    fn default() -> Self {
        CrossEntropy {
            ignore_index: -100,
            label_smoothing: 0.0,
            reduction: Reduction::Mean,
            scores: ClassScores::Logits,
        }
    }
}

impl CrossEntropy {
    /// Whether one workgroup makes the loss of such inputs.
    pub(crate) fn is_whole(self, inputs: &[&TensorType]) -> bool {
        let plain = CrossEntropy { ignore_index: self.ignore_index, ..CrossEntropy::default() };
        self == plain
            && inputs.len() == 2
            && rows(inputs[0]).inner == 1
            && inputs[0].shape.elements() <= WHOLE_LOGITS
            && rows(inputs[0]).terms <= WHOLE_CLASSES
    }

    fn check(&self) -> Result<(), String> {
        if !(0.0..=1.0).contains(&self.label_smoothing) {
            return Err(format!(
                "label_smoothing must be between 0.0 and 1.0, found {}",
                self.label_smoothing
            ));
        }
        Ok(())
    }

    /// Sets the constants of the kernels that one workgroup runs. They read the classes of each row `passes` times.
    fn labelled(self, cx: &LowerContext<'_>, kernel: Kernel, passes: u64) -> Result<Kernel> {
        let rows = rows(cx.input_type(0));
        let row = 2 + passes * rows.terms as u64;
        Ok(kernel
            .iterations(shared(rows.count(), WHOLE_LANES) * row + tree(WHOLE_LANES))
            .with("ROWS", cx.index(rows.count())?)
            .with("CLASSES", cx.index(rows.terms)?)
            .with("IGNORED", self.ignore_index))
    }

    /// A kernel in which teams share rows and go over them `passes` times more than to sum them up, and its number of workgroups; `None` for rows that are too long. `weighted` says whether there are
    /// weights for the classes.
    fn kernel(
        self,
        cx: &LowerContext<'_>,
        main: &'static ShaderFile,
        weighted: bool,
        passes: u64,
    ) -> Result<Option<(Kernel, usize)>> {
        // Passes for the largest score and the sums of exponentials, and trees that include smoothing's sum.
        let (of_scores, trees) = if self.scores == ClassScores::Logits { (2, 3) } else { (0, 0) };
        let smoothed = u64::from(self.label_smoothing > 0.0);
        let rows = rows(cx.input_type(0));
        let team = rows.team(of_scores + smoothed + passes, trees + smoothed);
        let Some(team) = team else { return Ok(None) };
        let weight: Option<&'static ShaderFile> = weighted.then_some(&parts::class_weight);
        let kernel = self.shaped(cx, Kernel::new(main).fill_all(weight))?;
        Ok(Some(team.share(kernel, rows.count())))
    }

    /// Sets the constants of the kernels that address rows.
    fn shaped(self, cx: &LowerContext<'_>, kernel: Kernel) -> Result<Kernel> {
        let rows = rows(cx.input_type(0));
        Ok(rows
            .shaped(cx, kernel)?
            .with("ROWS", cx.index(rows.count())?)
            .with("CLASSES", cx.index(rows.terms)?)
            .with("IGNORED", self.ignore_index)
            .with("SMOOTHING", self.label_smoothing)
            .with("LOGARITHMS", self.scores == ClassScores::LogProbabilities))
    }

    /// Records the sum or the mean of the rows' losses.
    fn lower_mean(
        self,
        cx: &mut LowerContext<'_>,
        losses: Operand,
        weights: Operand,
        rows: usize,
    ) -> Result<()> {
        let (mut operands, mut count) = ([losses, weights], rows);
        if rows > 4 * PART_ROWS {
            let parts = rows.div_ceil(PART_ROWS);
            let sums = [cx.temporary(parts), cx.temporary(parts)];
            let kernel = Kernel::new(&kernels::cross_entropy_parts)
                .with("TEAM", 64u32)
                .with("ROWS", cx.index(rows)?)
                .with("PARTS", cx.index(parts)?)
                .with("PART_ROWS", PART_ROWS as u32)
                .iterations(shared(PART_ROWS, 64) + 2 * tree(64));
            cx.dispatch(kernel, &[&operands[..], &sums].concat(), parts);
            (operands, count) = (sums, parts);
        }
        let kernel = Kernel::new(&kernels::cross_entropy_mean)
            .with("ROWS", cx.index(count)?)
            .with("MEAN", self.reduction == Reduction::Mean)
            .iterations(stretched(shared(count, WHOLE_LANES), STRETCH) + tree(WHOLE_LANES));
        let [losses, weights] = operands;
        cx.dispatch(kernel, &[losses, weights, cx.output(0), cx.output(1)], 1);
        Ok(())
    }
}

/// Checks scores, labels and, if given, the weights of the classes.
fn check_labelled(
    scores: &TensorType,
    labels: &TensorType,
    weight: Option<&TensorType>,
) -> Result<(), String> {
    if scores.dtype != DType::F32 || scores.shape.len() < 2 {
        return Err(format!(
            "expects f32 logits of shape [rows, classes] or [N, classes, ...], found {scores}"
        ));
    }
    let expected: Vec<usize> =
        scores.shape.iter().enumerate().filter(|(d, _)| *d != 1).map(|(_, &size)| size).collect();
    if labels.dtype != DType::I32 || labels.shape.len() != expected.len() {
        return Err(format!(
            "logits {}, read as [rows, classes] or [N, classes, ...], need i32 labels of shape {expected:?}, found {labels}",
            scores.shape
        ));
    }
    if expected.len() == 1 && labels.shape[0] != expected[0] {
        return Err(format!(
            "logits {} have {} rows, found {} labels",
            scores.shape, expected[0], labels.shape[0]
        ));
    }
    if labels.shape[..] != expected {
        return Err(format!("logits {} need labels {expected:?}, found {}", scores.shape, labels.shape));
    }
    let each = TensorType::f32([scores.shape[1]]);
    match weight {
        Some(weight) if *weight != each => Err(format!(
            "weight tensor should be defined for all {} classes or none, found {weight}",
            scores.shape[1]
        )),
        _ => Ok(()),
    }
}

/// Rows and classes of logits with one label per row.
pub(super) fn rows_and_classes(logits: &TensorType, labels: &TensorType) -> Result<[usize; 2], String> {
    check_labelled(logits, labels, None)?;
    if logits.shape.len() != 2 {
        return Err(format!("expects f32 logits of shape [rows, classes], found {logits}"));
    }
    Ok([logits.shape[0], logits.shape[1]])
}

/// The rows of logits (N, classes, ...), which have a label each.
fn rows(logits: &TensorType) -> Rows {
    Rows::along(&logits.shape, 1)
}

/// Terms that are added one after the other: classes by a team, and rows in stretches.
fn serial_terms(scores: &TensorType) -> u64 {
    let classes = scores.shape[1];
    serial::shared(classes, 64) + serial::stretched(scores.shape.elements() / classes)
}

impl Operator for CrossEntropy {
    fn name(&self) -> &'static str {
        match self.scores {
            ClassScores::Logits => "cross_entropy",
            ClassScores::LogProbabilities => "nll_loss",
        }
    }

    fn arity(&self) -> (usize, usize) {
        (2, 3)
    }

    fn keeps_f32(&self, _output: usize) -> bool {
        true
    }

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        self.check()?;
        check_labelled(inputs[0], inputs[1], inputs.get(2).copied())?;
        let scalar = TensorType::f32(Shape::scalar());
        Ok(match self.reduction {
            Reduction::None => vec![TensorType::f32(inputs[1].shape.clone())],
            _ => vec![scalar.clone(), scalar],
        })
    }

    fn labels(&self, inputs: &[&TensorType]) -> Option<(usize, LabelRange)> {
        let ignored = Ignored::Label(self.ignore_index);
        Some((1, LabelRange { classes: inputs[0].shape[1], ignored }))
    }

    fn backward(&self, cx: &mut BackwardContext<'_>) -> Result<()> {
        if cx.inputs() > 2 && cx.wants(2) {
            return Err(cx.error("has no gradient by the weights of the classes"));
        }
        if cx.wants(0) {
            let upstream = cx.output_gradient(0)?;
            let count = if self.reduction == Reduction::Mean { cx.output(1) } else { upstream };
            let mut inputs = vec![cx.input(0), cx.input(1), count, upstream];
            inputs.extend((cx.inputs() > 2).then(|| cx.input(2)));
            let gradient = cx.apply1(CrossEntropyGrad { forward: *self }, &inputs)?;
            cx.set(0, gradient);
        }
        Ok(())
    }

    fn variants(&self, inputs: &[&TensorType], _caps: &Caps) -> Vec<Variant> {
        if self.is_whole(inputs) { vec![WHOLE, ROWS] } else { vec![ROWS] }
    }

    fn preference(&self, _inputs: &[&TensorType]) -> Preference {
        Preference::all(&[WHOLE, ROWS])
    }

    fn lower(&self, cx: &mut LowerContext<'_>) -> Result<()> {
        if cx.variant() == WHOLE {
            let kernel = Kernel::new(&kernels::cross_entropy);
            let kernel = self.labelled(cx, kernel, 2)?;
            let operands = [cx.input(0), cx.input(1), cx.output(0), cx.output(1)];
            cx.dispatch(kernel, &operands, 1);
            return Ok(());
        }
        let weight = (cx.inputs() > 2).then(|| cx.input(2));
        let rows = cx.input_type(1).shape.elements();
        let kernel = self.kernel(cx, &kernels::cross_entropy_rows, weight.is_some(), 0)?;
        let losses = if self.reduction == Reduction::None { cx.output(0) } else { cx.temporary(rows) };
        let weights = cx.temporary(rows);
        if let Some((kernel, groups)) = kernel {
            let mut operands = vec![cx.input(0), cx.input(1), losses.clone(), weights.clone()];
            operands.extend(weight);
            cx.dispatch(kernel, &operands, groups);
        } else {
            self.lower_long_rows(cx, weight, [losses.clone(), weights.clone()])?;
        }
        if self.reduction == Reduction::None {
            return Ok(());
        }
        self.lower_mean(cx, losses, weights, rows)
    }

    fn serial_terms(&self, inputs: &[&TensorType], _variant: Variant) -> u64 {
        serial_terms(inputs[0])
    }

    fn flops(&self, inputs: &[&TensorType]) -> u64 {
        4 * inputs[0].shape.elements() as u64
    }
}
