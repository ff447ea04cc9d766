//! The gradient of the losses of class labels, alone and together with the loss.

use super::{ClassScores, CrossEntropy, WHOLE_CLASSES, WHOLE_LOGITS, check_labelled, serial_terms};
use crate::error::Result;
use crate::op::{LowerContext, Operator, Variant};
use crate::ops::losses::Reduction;
use crate::shader::{Kernel, kernels};
use crate::tensor::{Shape, TensorType};

/// Gradient of [`CrossEntropy`] by the scores. Inputs: scores, labels, the sum of the labels' weights (used by the
/// mean only), gradient of the loss, perhaps the classes' weights.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct CrossEntropyGrad {
    /// The loss.
    pub forward: CrossEntropy,
}

impl Operator for CrossEntropyGrad {
    fn name(&self) -> &'static str {
        match self.forward.scores {
            ClassScores::Logits => "cross_entropy_grad",
            ClassScores::LogProbabilities => "nll_loss_grad",
        }
    }

    fn arity(&self) -> (usize, usize) {
        (4, 5)
    }

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        self.forward.check()?;
        check_labelled(inputs[0], inputs[1], inputs.get(4).copied())?;
        let scalar = TensorType::f32(Shape::scalar());
        let loss = match self.forward.reduction {
            Reduction::None => TensorType::f32(inputs[1].shape.clone()),
            _ => scalar.clone(),
        };
        if *inputs[3] != loss || (self.forward.reduction == Reduction::Mean && *inputs[2] != scalar) {
            return Err(format!(
                "expects the sum of weights as {scalar} and the gradient as {loss}, found {} and {}",
                inputs[2], inputs[3]
            ));
        }
        Ok(vec![inputs[0].clone()])
    }

    fn lower(&self, cx: &mut LowerContext<'_>) -> Result<()> {
        let weight = (cx.inputs() > 4).then(|| cx.input(4));
        let Some((kernel, groups)) =
            self.forward.kernel(cx, &kernels::cross_entropy_grad, weight.is_some(), 1)?
        else {
            return self.forward.lower_long_grad(cx, weight);
        };
        let kernel = kernel
            .with("MEAN", self.forward.reduction == Reduction::Mean)
            .with("EACH", self.forward.reduction == Reduction::None);
        let mut operands = vec![cx.input(0), cx.input(1), cx.input(2), cx.input(3), cx.output(0)];
        operands.extend(weight);
        cx.dispatch(kernel, &operands, groups);
        Ok(())
    }

    fn serial_terms(&self, inputs: &[&TensorType], _variant: Variant) -> u64 {
        serial_terms(inputs[0])
    }

    fn flops(&self, inputs: &[&TensorType]) -> u64 {
        6 * inputs[0].shape.elements() as u64
    }
}

/// [`CrossEntropy`] and [`CrossEntropyGrad`] at once, for few logits. Inputs: logits, labels, gradient
/// of the loss. Outputs: loss, count, gradient of the logits.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct CrossEntropyWithGrad {
    /// The loss.
    pub forward: CrossEntropy,
}

impl Operator for CrossEntropyWithGrad {
    fn name(&self) -> &'static str {
        "cross_entropy_with_grad"
    }

    fn arity(&self) -> (usize, usize) {
        (3, 3)
    }

    fn describe(&self) -> String {
        "cross_entropy + cross_entropy_grad".into()
    }

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        let mut outputs = self.forward.infer(&inputs[..2])?;
        if !self.forward.is_whole(&inputs[..2]) {
            return Err(format!(
                "expects the plain mean of at most {WHOLE_LOGITS} logits and {WHOLE_CLASSES} classes, found {}",
                inputs[0]
            ));
        }
        let scalars = [inputs[0], inputs[1], &outputs[1], inputs[2]];
        outputs.extend(CrossEntropyGrad { forward: self.forward }.infer(&scalars)?);
        Ok(outputs)
    }

    fn lower(&self, cx: &mut LowerContext<'_>) -> Result<()> {
        let kernel = Kernel::new(&kernels::cross_entropy_with_grad);
        let kernel = self.forward.labelled(cx, kernel, 5)?;
        let operands = [cx.input(0), cx.input(1), cx.output(0), cx.output(1), cx.input(2), cx.output(2)];
        cx.dispatch(kernel, &operands, 1);
        Ok(())
    }

    fn serial_terms(&self, inputs: &[&TensorType], _variant: Variant) -> u64 {
        serial_terms(inputs[0])
    }

    fn flops(&self, inputs: &[&TensorType]) -> u64 {
        10 * inputs[0].shape.elements() as u64
    }
}
