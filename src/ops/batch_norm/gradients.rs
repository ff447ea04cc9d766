//! The gradients of batch normalisation.

use super::reduce::{Finalizer, Sums};
use super::split::PREFERENCE;
use super::split::{ChannelSplit, VARIANTS, flat_gradient, serial_terms};
use super::{channels, check_each};
use crate::error::Result;
use crate::op::{Caps, LowerContext, Operand, Operator, Preference, Variant};
use crate::shader::{ShaderFile, parts};
use crate::tensor::TensorType;

/// The gradient of [`BatchNormTrain`](super::BatchNormTrain). Inputs: x, the gradient of y, statistics.
/// Outputs: the gradients of x, weight and bias, and perhaps of a bias added to x.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct BatchNormGrad {
    /// Whether there is a last output: the sum of x's gradient over each channel, which is the gradient of a bias (C)
    /// added to x. It is zero, because normalising removes anything that is added to a whole channel.
    pub source_bias: bool,
}

impl BatchNormGrad {
    /// The same operator with the last output, unless it has that already.
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
}

/// What the reductions of the gradient go over: the file that defines `terms`, its constants, and what
/// it and the statistics bind, in order.
pub(super) struct Terms<'s> {
    pub file: &'static ShaderFile,
    pub constants: &'s [(&'static str, u32)],
    pub operands: Vec<Operand>,
    pub statistics: Operand,
}

impl BatchNormGrad {
    /// Records the reductions: the node's outputs from 1 on, and a line for each channel, from which `apply` makes
    /// output 0. `elements` are those of a channel of x, which may be more than the terms.
    pub(super) fn lower_sums(
        &self,
        cx: &mut LowerContext<'_>,
        split: ChannelSplit,
        elements: usize,
        terms: Terms<'_>,
    ) -> Result<Operand> {
        let lines = cx.temporary(4 * split.channels);
        let mut operands = vec![lines.clone(), cx.output(1), cx.output(2)];
        operands.extend(self.source_bias.then(|| cx.output(3)));
        let mut files = vec![&parts::batch_norm_grad_finalize];
        files.extend(self.source_bias.then_some(&parts::batch_norm_grad_source_bias));
        let sums = Sums {
            split,
            terms: terms.file,
            constants: terms.constants,
            operands: terms.operands,
            line: Some(terms.statistics),
            weight_at: None,
        };
        let constants = &[("ELEMENTS", elements as f32)];
        sums.lower(cx, Finalizer { files: &files, constants, operands })?;
        Ok(lines)
    }
}

/// Records output 0 from the lines of the channels; `source` defines `gradient_at`.
pub(super) fn apply(
    cx: &mut LowerContext<'_>,
    source: &'static ShaderFile,
    constants: &[(&'static str, u32)],
    operands: &[Operand],
) -> Result<()> {
    let (kernel, groups, width) = flat_gradient(cx, &cx.output_type(0).shape, source)?;
    let kernel = constants.iter().fold(kernel, |kernel, &(name, value)| kernel.with(name, value));
    cx.dispatch_epilogue(kernel, operands, groups, width);
    Ok(())
}

impl Operator for BatchNormGrad {
    fn name(&self) -> &'static str {
        "batch_norm_grad"
    }

    fn arity(&self) -> (usize, usize) {
        (3, 3)
    }

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        let channels = channels(inputs[0])?;
        check_each(&inputs[1..2], &["the output's gradient"], inputs[0])?;
        check_each(&inputs[2..], &["statistics"], &TensorType::f32([channels, 4]))?;
        Ok(self.outputs(inputs[0], channels))
    }

    fn variants(&self, _inputs: &[&TensorType], _caps: &Caps) -> Vec<Variant> {
        VARIANTS.to_vec()
    }

    fn preference(&self, _inputs: &[&TensorType]) -> Preference {
        PREFERENCE
    }

    fn has_epilogue(&self) -> bool {
        true
    }

    fn lower(&self, cx: &mut LowerContext<'_>) -> Result<()> {
        let shape = cx.input_type(0).shape.clone();
        let (x, gradient, statistics) = (cx.input(0), cx.input(1), cx.input(2));
        let terms = Terms {
            file: &parts::batch_norm_grad_terms,
            constants: &[],
            operands: vec![x.clone(), gradient.clone(), statistics.clone()],
            statistics,
        };
        let split = ChannelSplit::new(&shape, cx.variant());
        let lines = self.lower_sums(cx, split, shape.elements() / shape[1], terms)?;
        let result = cx.output(0);
        apply(cx, &parts::gradient_plain, &[], &[x, gradient, lines, result])
    }

    fn serial_terms(&self, inputs: &[&TensorType], variant: Variant) -> u64 {
        serial_terms(&inputs[0].shape, variant)
    }

    fn flops(&self, inputs: &[&TensorType]) -> u64 {
        9 * inputs[0].shape.elements() as u64
    }
}
