//! The gradients of batch normalisation.

use super::cut::{Cut, VARIANTS, flat};
use super::{BatchNorm, channels, check_each};
use crate::error::Result;
use crate::ops::Operator;
use crate::plan::{Caps, Lower, Operand};
use crate::reference::{Array, batch_norm as reference};
use crate::shader::{Kernel, ShaderFile};
use crate::shader_file;
use crate::tensor::TensorType;

static GROUP: ShaderFile = shader_file!("shared/group");
static CHANNEL_SUMS: ShaderFile = shader_file!("shared/channel_sums");
static GRADIENT: ShaderFile = shader_file!("shared/gradient_plain");
static NOTHING_ELSE: ShaderFile = shader_file!("shared/nothing_else");
static SOURCE_BIAS: ShaderFile = shader_file!("batch_norm_grad_source_bias");
static TERMS: ShaderFile = shader_file!("batch_norm_grad_terms");
static SUMS: ShaderFile = shader_file!("batch_norm_grad_sums");
static PARTS: ShaderFile = shader_file!("batch_norm_grad_parts");
static MERGE: ShaderFile = shader_file!("batch_norm_grad_merge");
static SETTLE: ShaderFile = shader_file!("batch_norm_grad_settle");
static APPLY: ShaderFile = shader_file!("batch_norm_grad_apply");
static EVAL_GRAD: ShaderFile = shader_file!("batch_norm_eval_grad");
static EVAL_GRAD_PARAMETERS: ShaderFile = shader_file!("batch_norm_eval_grad_parameters");

/// The gradient of [`BatchNormTrain`](super::BatchNormTrain). Inputs: x, the gradient of y, statistics.
/// Outputs: the gradients of x, weight and bias, and perhaps of a bias added to x.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct BatchNormGrad {
    /// Whether there is a last output: the sum of x's gradient over each channel, which is the gradient
    /// of a bias (C) added to x. It is zero: normalising takes away what is added to a whole channel.
    pub source_bias: bool,
}

impl BatchNormGrad {
    /// The same with the last output, unless it has that already.
    pub(crate) fn with_source_bias(&self) -> Option<Self> {
        (!self.source_bias).then_some(BatchNormGrad { source_bias: true })
    }

    /// Types of the outputs for this x.
    pub(super) fn outputs(&self, x: &TensorType, channels: usize) -> Vec<TensorType> {
        let each = TensorType::f32([channels]);
        let mut outputs = vec![x.clone(), each.clone(), each.clone()];
        outputs.extend(self.source_bias.then_some(each));
        outputs
    }

    /// The gradient of x, and the rest.
    pub(super) fn reference(&self, x: &Array, gradient: &Array, statistics: &Array) -> Vec<Array> {
        let mut outputs = reference::train_grad(x, gradient, statistics);
        outputs.extend(self.source_bias.then(|| Array::zeros([x.shape[1]])));
        outputs
    }
}

/// The reductions of the gradient, and what follows from them.
pub(super) struct Sums<'s> {
    /// How the channels are cut over which the terms are summed.
    pub cut: Cut,
    /// Elements of a channel of x.
    pub elements: usize,
    /// The files that define `terms`, and their constants.
    pub terms: &'s [&'static ShaderFile],
    pub constants: &'s [(&'static str, u32)],
    /// x, gradient, statistics and what else the terms bind.
    pub operands: Vec<Operand>,
    pub statistics: Operand,
    pub source_bias: bool,
}

impl Sums<'_> {
    /// Records them: outputs 1 and on of the node, and a line for each channel that makes output 0.
    pub fn lower(self, cx: &mut Lower<'_>) -> Result<Operand> {
        let cut = &self.cut;
        let lines = cx.temporary(4 * cut.channels);
        let mut results = vec![lines.clone(), cx.output(1), cx.output(2)];
        results.extend(self.source_bias.then(|| cx.output(3)));
        let also = if self.source_bias { &SOURCE_BIAS } else { &NOTHING_ELSE };
        let settle = |kernel: Kernel| kernel.with("ELEMENTS", self.elements as f32);
        let set = |kernel: Kernel| {
            self.constants.iter().fold(kernel, |kernel, &(name, value)| kernel.with(name, value))
        };
        let mut files = vec![&CHANNEL_SUMS];
        files.extend(self.terms);
        if cut.parts == 1 {
            files.extend([also, &SETTLE, &SUMS]);
            let kernel = set(settle(cut.kernel(cx, &files)?));
            cx.dispatch(kernel, &[self.operands, results].concat(), cut.workgroups());
            return Ok(lines);
        }
        let partial = cx.temporary(cut.pairs());
        files.extend([&PARTS, &SUMS]);
        let kernel = set(cut.kernel(cx, &files)?);
        cx.dispatch(kernel, &[self.operands, vec![partial.clone()]].concat(), cut.workgroups());
        let kernel = settle(cut.kernel(cx, &[also, &SETTLE, &MERGE])?);
        cx.dispatch(kernel, &[vec![self.statistics, partial], results].concat(), cut.channels);
        Ok(lines)
    }
}

/// Records output 0 from the lines of the channels; `source` defines `gradient_at`.
pub(super) fn apply(
    cx: &mut Lower<'_>,
    source: &[&'static ShaderFile],
    constants: &[(&'static str, u32)],
    operands: &[Operand],
) -> Result<()> {
    let mut files = source.to_vec();
    files.push(&APPLY);
    let (kernel, groups, width) = flat(cx, &cx.output_type(0).shape, &files)?;
    let kernel = constants.iter().fold(kernel, |kernel, &(name, value)| kernel.with(name, value));
    cx.dispatch_finished(kernel, operands, groups, width);
    Ok(())
}

impl Operator for BatchNormGrad {
    fn name(&self) -> &'static str {
        "batch_norm_grad"
    }

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        let channels = channels(inputs[0])?;
        check_each(&inputs[1..2], &["the output's gradient"], inputs[0])?;
        check_each(&inputs[2..], &["statistics"], &TensorType::f32([channels, 4]))?;
        Ok(self.outputs(inputs[0], channels))
    }

    fn variants(&self, _inputs: &[&TensorType], _caps: &Caps) -> Vec<&'static str> {
        VARIANTS.to_vec()
    }

    fn finishes(&self) -> bool {
        true
    }

    fn lower(&self, cx: &mut Lower<'_>) -> Result<()> {
        let shape = cx.input_type(0).shape.clone();
        let (x, gradient, statistics) = (cx.input(0), cx.input(1), cx.input(2));
        let sums = Sums {
            cut: Cut::new(&shape, cx.variant()),
            elements: shape.elements() / shape[1],
            terms: &[&TERMS],
            constants: &[],
            operands: vec![x.clone(), gradient.clone(), statistics.clone()],
            statistics,
            source_bias: self.source_bias,
        };
        let lines = sums.lower(cx)?;
        let result = cx.output(0);
        apply(cx, &[&GRADIENT], &[], &[x, gradient, lines, result])
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        self.reference(inputs[0], inputs[1], inputs[2])
    }

    fn flops(&self, inputs: &[&TensorType]) -> u64 {
        9 * inputs[0].shape.elements() as u64
    }
}

/// The gradient of [`BatchNormEval`](super::BatchNormEval). Inputs: x, the gradient of y, weight, running mean, running
/// variance. Outputs: the gradients of x, weight and bias.
#[derive(Clone, Debug, PartialEq)]
pub struct BatchNormEvalGrad(pub BatchNorm);

impl Operator for BatchNormEvalGrad {
    fn name(&self) -> &'static str {
        "batch_norm_eval_grad"
    }

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        self.0.check()?;
        let each = TensorType::f32([channels(inputs[0])?]);
        check_each(&inputs[1..2], &["the output's gradient"], inputs[0])?;
        check_each(&inputs[2..], &["weight", "running_mean", "running_var"], &each)?;
        Ok(vec![inputs[0].clone(), each.clone(), each])
    }

    fn variants(&self, _inputs: &[&TensorType], _caps: &Caps) -> Vec<&'static str> {
        VARIANTS.to_vec()
    }

    fn lower(&self, cx: &mut Lower<'_>) -> Result<()> {
        let cut = Cut::new(&cx.input_type(0).shape, cx.variant());
        let partial = cx.temporary(cut.pairs());
        let kernel = cut.kernel(cx, &[&CHANNEL_SUMS, &EVAL_GRAD])?.with("EPSILON", self.0.eps);
        let operands =
            [cx.input(0), cx.input(1), cx.input(2), cx.input(3), cx.input(4), cx.output(0), partial.clone()];
        cx.dispatch(kernel, &operands, cut.workgroups());
        let kernel = Kernel::new(&[&GROUP, &EVAL_GRAD_PARAMETERS])
            .with("EPSILON", self.0.eps)
            .with("CHANNELS", cx.index(cut.channels)?)
            .with("PARTS", cx.index(cut.parts)?);
        let operands = [cx.input(4), partial, cx.output(1), cx.output(2)];
        cx.dispatch(kernel, &operands, cut.channels.div_ceil(64));
        Ok(())
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        reference::eval_grad(inputs[0], inputs[1], inputs[2], inputs[3], inputs[4], &self.0)
    }

    fn flops(&self, inputs: &[&TensorType]) -> u64 {
        5 * inputs[0].shape.elements() as u64
    }
}
