//! Batch normalisation by the batch's own statistics, and the count of batches behind plain averages.

use super::reduce::{Finalizer, moments};
use super::split::PREFERENCE;
use super::split::{ChannelSplit, VARIANTS, flat, serial_terms};
use super::{BatchNorm, BatchNormGrad, channels, check_parameters};
use crate::error::Result;
use crate::op::{BackwardContext, Caps, LowerContext, Operand, Operator, Preference, Variant};
use crate::shader::{Kernel, ShaderFile, kernels, parts};
use crate::tensor::{Shape, TensorType};

/// Normalises by the batch's statistics. Inputs: x (N, C, ...); if affine, weight and bias (C); if tracked, the
/// running mean and variance (C), and without a momentum the number of batches so far, including this one. Outputs:
/// y; statistics (C, 4) for [`BatchNormGrad`]; and if tracked, in place, the new running mean and variance. y uses
/// the biased variance, the running variance is unbiased.
///
/// A channel's statistics are its first element, the mean minus that (a mean far from zero would lose digits in f32),
/// one over the standard deviation, and that times the weight.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BatchNormTrain {
    /// Attributes.
    pub norm: BatchNorm,
    /// Whether there are a weight and a bias.
    pub affine: bool,
    /// Whether there are running statistics.
    pub tracked: bool,
}

impl From<BatchNorm> for BatchNormTrain {
    /// With weight, bias and running statistics.
    fn from(norm: BatchNorm) -> Self {
        BatchNormTrain { norm, affine: true, tracked: true }
    }
}

impl BatchNormTrain {
    /// Number of the input that holds the running mean, if there is one.
    pub(crate) fn running(&self) -> usize {
        if self.affine { 3 } else { 1 }
    }

    /// Whether the running statistics are plain averages.
    fn averages(&self) -> bool {
        self.tracked && self.norm.momentum.is_none()
    }

    /// Records everything before normalising: the statistics (output 1) and the running ones (outputs 2 and 3) of the
    /// first input.
    pub(super) fn lower_statistics(&self, cx: &mut LowerContext<'_>) -> Result<()> {
        let shape = cx.input_type(0).shape.clone();
        let mut constants =
            vec![("EPSILON", self.norm.eps), ("ELEMENTS", (shape.elements() / shape[1]) as f32)];
        let mut operands: Vec<Operand> = self.affine.then(|| cx.input(1)).into_iter().collect();
        operands.push(cx.output(1));
        let track = match self.norm.momentum {
            _ if !self.tracked => None,
            Some(momentum) => {
                constants.push(("MOMENTUM", momentum));
                Some(&parts::batch_norm_track)
            }
            None => Some(&parts::batch_norm_track_average),
        };
        if self.tracked {
            operands.extend([cx.output(2), cx.output(3)]);
        }
        if self.averages() {
            operands.push(cx.input(self.running() + 2));
        }
        let mut files = vec![&parts::batch_norm_finalize];
        files.extend(self.affine.then_some(&parts::batch_norm_weight));
        files.extend(track);
        let finalizer = Finalizer { files: &files, constants: &constants, operands };
        let source = cx.input(0);
        moments(cx, &ChannelSplit::new(&shape, cx.variant()), source, finalizer)
    }

    /// The file that gives a channel's bias, and its operand if it has one.
    pub(super) fn bias(&self, cx: &LowerContext<'_>) -> (Option<&'static ShaderFile>, Option<Operand>) {
        if self.affine { (Some(&parts::batch_norm_bias), Some(cx.input(2))) } else { (None, None) }
    }
}

impl Operator for BatchNormTrain {
    fn name(&self) -> &'static str {
        "batch_norm"
    }

    fn arity(&self) -> (usize, usize) {
        let inputs =
            1 + 2 * usize::from(self.affine) + 2 * usize::from(self.tracked) + usize::from(self.averages());
        (inputs, inputs)
    }

    /// Statistics do.
    fn keeps_f32(&self, output: usize) -> bool {
        output > 0
    }

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        self.norm.check()?;
        let channels = channels(inputs[0])?;
        let mut parameters = &inputs[1..];
        if self.averages() {
            let scalar = TensorType::f32(Shape::scalar());
            match parameters.split_last() {
                Some((count, rest)) if **count == scalar => parameters = rest,
                _ => return Err(format!("expected the number of batches as {scalar}")),
            }
        }
        check_parameters(parameters, channels, self.affine, self.tracked)?;
        if inputs[0].shape.elements() == channels {
            return Err(format!("expected more than 1 value per channel when training, found {}", inputs[0]));
        }
        let mut outputs = vec![inputs[0].clone(), TensorType::f32([channels, 4])];
        if self.tracked {
            outputs.extend([TensorType::f32([channels]), TensorType::f32([channels])]);
        }
        Ok(outputs)
    }

    fn backward(&self, cx: &mut BackwardContext<'_>) -> Result<()> {
        let gradient = cx.output_gradient(0)?;
        let inputs = [cx.input(0), gradient, cx.output(1)];
        let gradients = cx.apply(BatchNormGrad::default(), &inputs)?;
        for (i, gradient) in gradients.into_iter().enumerate().take(if self.affine { 3 } else { 1 }) {
            cx.set(i, gradient);
        }
        Ok(())
    }

    fn variants(&self, _inputs: &[&TensorType], _caps: &Caps) -> Vec<Variant> {
        VARIANTS.to_vec()
    }

    fn preference(&self, _inputs: &[&TensorType]) -> Preference {
        PREFERENCE
    }

    fn lower(&self, cx: &mut LowerContext<'_>) -> Result<()> {
        self.lower_statistics(cx)?;
        let (bias, operand) = self.bias(cx);
        let (kernel, groups, width) = flat(cx, &cx.input_type(0).shape, &parts::batch_norm_apply)?;
        let mut operands = vec![cx.input(0), cx.output(1)];
        operands.extend(operand);
        operands.push(cx.output(0));
        cx.dispatch_epilogue(kernel.fill_all(bias), &operands, groups, width);
        Ok(())
    }

    fn has_epilogue(&self) -> bool {
        true
    }

    fn in_place(&self) -> Vec<(usize, usize)> {
        let running = self.running();
        if self.tracked { vec![(2, running), (3, running + 1)] } else { Vec::new() }
    }

    fn serial_terms(&self, inputs: &[&TensorType], variant: Variant) -> u64 {
        serial_terms(&inputs[0].shape, variant)
    }

    fn flops(&self, inputs: &[&TensorType]) -> u64 {
        8 * inputs[0].shape.elements() as u64
    }
}

/// Adds one to a count of batches (scalar f32), in place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BatchCount;

impl Operator for BatchCount {
    fn name(&self) -> &'static str {
        "batch_count"
    }

    fn arity(&self) -> (usize, usize) {
        (1, 1)
    }

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        let scalar = TensorType::f32(Shape::scalar());
        if *inputs[0] != scalar {
            return Err(format!("expected the number of batches as {scalar}, found {}", inputs[0]));
        }
        Ok(vec![scalar])
    }

    fn lower(&self, cx: &mut LowerContext<'_>) -> Result<()> {
        cx.dispatch(Kernel::new(&kernels::batch_norm_count), &[cx.output(0)], 1);
        Ok(())
    }

    fn in_place(&self) -> Vec<(usize, usize)> {
        vec![(0, 0)]
    }
}
