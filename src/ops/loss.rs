//! Losses that compare each element with a float target: squared and absolute differences, binary cross-entropy,
//! Kullback-Leibler divergence. Losses of class labels are in `cross_entropy`, those made of other operators in
//! `row_loss`.
//!
//! Each is a function of one element (`shaders/parts/elementwise/element_loss.wgsl`). Reduced, it is added up by a kernel that
//! calls it on the way, so that no tensor of losses is written.

use super::loops::{CUT_TERMS, fits, shared, stretched, tree};
use super::losses::Reduction;
use crate::error::Result;
use crate::graph::Value;
use crate::op::occupancy::{self, LANES};
use crate::op::{
    AdapterKind, Argument, BackwardContext, EpilogueOp, IndexMap, LowerContext, Operand, Operator, Pointwise,
    Variant,
};
use crate::ops::serial;
use crate::shader::{Kernel, kernels, parts};
use crate::tensor::{DType, Shape, TensorType};
use std::sync::Arc;

/// Loads per invocation from which a further part pays.
const WORTH: usize = 64;

/// Elements that an invocation adds before it joins them to the others.
const STRETCH: u64 = 32;

/// What becomes of the elements' losses.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum ElementReduction {
    /// Their mean.
    #[default]
    Mean,
    /// Their sum.
    Sum,
    /// Their sum over the first dimension's size: PyTorch's `batchmean` of the Kullback-Leibler divergence.
    BatchMean,
    /// No reduction: one loss per element or row.
    None,
}

impl From<Reduction> for ElementReduction {
    fn from(reduction: Reduction) -> Self {
        match reduction {
            Reduction::Mean => ElementReduction::Mean,
            Reduction::Sum => ElementReduction::Sum,
            Reduction::None => ElementReduction::None,
        }
    }
}

/// How a prediction x and a target t make a loss, with PyTorch's names and defaults.
#[derive(Clone, Copy, PartialEq, Debug)]
#[non_exhaustive]
pub enum ElementLoss {
    /// `(x - t)^2`
    Mse,
    /// `|x - t|`, with gradient 0 if they are equal.
    L1,
    /// `(x - t)^2 / (2 beta)` if they differ by less than beta, else `|x - t| - beta / 2`.
    SmoothL1 {
        /// At least 0; with 0 this is the absolute difference. PyTorch's default is 1.
        beta: f32,
    },
    /// `(x - t)^2 / 2` if they differ by at most delta, else `delta (|x - t| - delta / 2)`.
    Huber {
        /// Above 0; PyTorch's default is 1.
        delta: f32,
    },
    /// `-(w t log(s) + (1 - t) log(1 - s))` with `s = 1 / (1 + exp(-x))`; w is 1 or a third input that broadcasts.
    BceWithLogits,
    /// `t (log(t) - x)`, where x is the logarithm of a probability and t a probability; 0 if t is 0.
    KlDiv,
    /// `exp(t) (t - x)`, where both are logarithms of probabilities.
    KlDivOfLogarithms,
}

impl ElementLoss {
    /// Names of the loss and of its gradients by prediction and target, as operators and as functions.
    fn names(self) -> [&'static str; 3] {
        match self {
            ElementLoss::Mse => ["mse_loss", "mse_loss_grad", "mse_loss_grad_target"],
            ElementLoss::L1 => ["l1_loss", "l1_loss_grad", "l1_loss_grad_target"],
            ElementLoss::SmoothL1 { .. } => {
                ["smooth_l1_loss", "smooth_l1_loss_grad", "smooth_l1_loss_grad_target"]
            }
            ElementLoss::Huber { .. } => ["huber_loss", "huber_loss_grad", "huber_loss_grad_target"],
            ElementLoss::BceWithLogits => {
                ["bce_with_logits_loss", "bce_with_logits_loss_grad", "bce_with_logits_loss_grad_target"]
            }
            ElementLoss::KlDiv => ["kl_div_loss", "kl_div_loss_grad", "kl_div_loss_grad_target"],
            ElementLoss::KlDivOfLogarithms => {
                ["kl_div_log_loss", "kl_div_log_loss_grad", "kl_div_log_loss_grad_target"]
            }
        }
    }

    /// The function that computes the loss (0) or a gradient, for this number of tensors.
    fn function(self, which: usize, tensors: usize) -> &'static str {
        if self == ElementLoss::BceWithLogits && tensors == 3 {
            return ["bce_loss", "bce_loss_grad", "bce_loss_grad_target"][which];
        }
        self.names()[which]
    }

    /// The fewest and the most tensors that it compares.
    fn tensors(self) -> (usize, usize) {
        if self == ElementLoss::BceWithLogits { (2, 3) } else { (2, 2) }
    }

    /// The function's numbers, behind its tensors.
    fn numbers(self) -> Vec<f32> {
        match self {
            ElementLoss::SmoothL1 { beta } => vec![beta],
            ElementLoss::Huber { delta } => vec![delta],
            _ => Vec::new(),
        }
    }

    fn check(self, inputs: &[&TensorType]) -> Result<(), String> {
        match self {
            ElementLoss::SmoothL1 { beta } if !(beta >= 0.0 && beta.is_finite()) => {
                return Err(format!(
                    "smooth_l1_loss does not support negative values for beta, found {beta}"
                ));
            }
            ElementLoss::Huber { delta } if !(delta > 0.0 && delta.is_finite()) => {
                return Err(format!(
                    "huber_loss does not support non-positive values for delta, found {delta}"
                ));
            }
            _ => {}
        }
        let (x, t) = (inputs[0], inputs[1]);
        if x.dtype != DType::F32 || x != t {
            return Err(format!("expects a prediction and a target of f32 and one shape, found {x} and {t}"));
        }
        if let Some(weight) = inputs.get(2)
            && (weight.dtype != DType::F32 || IndexMap::of(&weight.shape, &x.shape).is_none())
        {
            return Err(format!(
                "expects pos_weight to stretch along one run of dimensions of {x}, found {weight}"
            ));
        }
        Ok(())
    }
}

/// A loss of predictions and targets. Inputs: predictions, targets of the same shape, and with
/// [`ElementLoss::BceWithLogits`] perhaps the weight of positive targets, which broadcasts and has no gradient.
/// Output: a scalar, or without reduction one loss per element.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Loss {
    /// The loss of one element.
    pub element: ElementLoss,
    /// What becomes of the elements' losses.
    pub reduction: ElementReduction,
}

impl Loss {
    /// The factor of the sum of losses over inputs of this shape.
    fn scale(self, shape: &Shape) -> f32 {
        match self.reduction {
            ElementReduction::Mean => (1.0 / shape.elements() as f64) as f32,
            ElementReduction::BatchMean => (1.0 / shape.first().copied().unwrap_or(1) as f64) as f32,
            ElementReduction::Sum | ElementReduction::None => 1.0,
        }
    }

    fn output(self, inputs: &[&TensorType]) -> TensorType {
        match self.reduction {
            ElementReduction::None => inputs[0].clone(),
            _ => TensorType::f32(Shape::scalar()),
        }
    }

    fn function(self, inputs: &[&TensorType]) -> Option<Pointwise> {
        let shape = &inputs[0].shape;
        let index_map: Option<Vec<IndexMap>> =
            inputs.iter().map(|ty| IndexMap::of(&ty.shape, shape)).collect();
        let function = self.element.function(0, inputs.len());
        Some(Pointwise {
            file: &parts::element_loss,
            function,
            index_map: index_map?,
            numbers: self.element.numbers(),
        })
    }
}

/// Divides a sum of this many packs into parts: their number, and the packs of each.
fn parts(packs: usize, kind: AdapterKind) -> (usize, usize) {
    let mut parts = packs.div_ceil(LANES * WORTH).min(occupancy::mean_parts(kind));
    if !fits(iterations(packs.div_ceil(parts))) {
        parts = packs.div_ceil(LANES * CUT_TERMS);
    }
    let each = packs.div_ceil(parts);
    (packs.div_ceil(each), each)
}

/// Loop iterations of an invocation that sums its share of a part.
fn iterations(packs: usize) -> u64 {
    stretched(shared(packs, LANES), STRETCH) + tree(LANES)
}

/// Records one pass of the sum over `elements` of `source`, after `links`, into the first output or a temporary.
fn lower_sum(
    cx: &mut LowerContext<'_>,
    source: Operand,
    elements: usize,
    links: Vec<EpilogueOp>,
    scale: f32,
) -> Result<Option<(Operand, usize)>> {
    let width = if elements.is_multiple_of(4) { 4 } else { 1 };
    let (parts, each) = parts(elements / width, cx.caps().kind);
    let last = parts == 1;
    let result = if last { cx.output(0) } else { cx.temporary(parts) };
    let kernel = Kernel::new(&kernels::sum_epilogue)
        .with("TEAM", LANES as u32)
        .with("ELEMENTS", cx.index(elements / width)?)
        .with("PARTS", cx.index(parts)?)
        .with("PART_ELEMENTS", cx.index(each)?)
        .with("SCALE", if last { scale } else { 1.0 })
        .iterations(iterations(each))
        .epilogue_calls(shared(each, LANES));
    cx.chain = links;
    cx.unwatched(|cx| cx.dispatch_epilogue(kernel, &[source, result.clone()], parts, width));
    Ok((!last).then_some((result, parts)))
}

impl Operator for Loss {
    fn name(&self) -> &'static str {
        self.element.names()[0]
    }

    fn arity(&self) -> (usize, usize) {
        self.element.tensors()
    }

    fn keeps_f32(&self, _output: usize) -> bool {
        true
    }

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        self.element.check(inputs)?;
        Ok(vec![self.output(inputs)])
    }

    fn backward(&self, cx: &mut BackwardContext<'_>) -> Result<()> {
        let gradient = cx.output_gradient(0)?;
        if cx.inputs() > 2 && cx.wants(2) {
            return Err(cx.error("has no gradient by pos_weight"));
        }
        let inputs: Vec<Value> = (0..cx.inputs()).map(|i| cx.input(i)).chain([gradient]).collect();
        for (i, by_target) in [false, true].into_iter().enumerate() {
            if cx.wants(i) {
                let gradient = cx.apply1(LossGrad { forward: *self, by_target }, &inputs)?;
                cx.set(i, gradient);
            }
        }
        Ok(())
    }

    fn pointwise(&self, inputs: &[&TensorType]) -> Option<Pointwise> {
        (self.reduction == ElementReduction::None).then(|| self.function(inputs)).flatten()
    }

    fn lower(&self, cx: &mut LowerContext<'_>) -> Result<()> {
        if self.reduction == ElementReduction::None {
            return cx.map();
        }
        let types: Vec<TensorType> = (0..cx.inputs()).map(|i| cx.input_type(i).clone()).collect();
        let shape = types[0].shape.clone();
        let pointwise = self.function(&types.iter().collect::<Vec<_>>()).expect("the shape rule has passed");
        let operands = cx.node.inputs[1..].iter().copied().map(Argument::Tensor);
        let inputs = [Argument::Chain].into_iter().chain(operands).collect();
        let link = EpilogueOp::new(Arc::clone(&cx.node.operator), pointwise, inputs, shape.clone());
        let scale = self.scale(&shape);
        let mut rest = lower_sum(cx, cx.input(0), shape.elements(), vec![link], scale)?;
        while let Some((source, elements)) = rest {
            rest = lower_sum(cx, source, elements, Vec::new(), scale)?;
        }
        Ok(())
    }

    fn serial_terms(&self, inputs: &[&TensorType], _variant: Variant) -> u64 {
        serial::stretched(inputs[0].shape.elements())
    }

    fn flops(&self, inputs: &[&TensorType]) -> u64 {
        3 * inputs[0].shape.elements() as u64
    }
}

/// Gradient of [`Loss`] by its predictions or its targets. Inputs: those of the loss, and its gradient.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct LossGrad {
    /// The loss.
    pub forward: Loss,
    /// Whether it is by the targets.
    pub by_target: bool,
}

impl Operator for LossGrad {
    fn name(&self) -> &'static str {
        self.forward.element.names()[if self.by_target { 2 } else { 1 }]
    }

    fn arity(&self) -> (usize, usize) {
        let (fewest, most) = self.forward.element.tensors();
        (fewest + 1, most + 1)
    }

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        let (upstream, compared) = inputs.split_last().expect("a loss has inputs");
        self.forward.element.check(compared)?;
        let output = self.forward.output(compared);
        if **upstream != output {
            return Err(format!("expects the gradient of the loss as {output}, found {upstream}"));
        }
        Ok(vec![compared[0].clone()])
    }

    fn pointwise(&self, inputs: &[&TensorType]) -> Option<Pointwise> {
        let shape = &inputs[0].shape;
        let index_map: Option<Vec<IndexMap>> =
            inputs.iter().map(|ty| IndexMap::of(&ty.shape, shape)).collect();
        let which = if self.by_target { 2 } else { 1 };
        let mut numbers = self.forward.element.numbers();
        numbers.push(self.forward.scale(shape));
        let function = self.forward.element.function(which, inputs.len() - 1);
        Some(Pointwise { file: &parts::element_loss, function, index_map: index_map?, numbers })
    }

    fn flops(&self, inputs: &[&TensorType]) -> u64 {
        4 * inputs[0].shape.elements() as u64
    }
}
