//! The variance over any axes.

use super::{Axes, Function, Reduce};
use crate::error::Result;
use crate::op::{BackwardContext, Caps, LowerContext, Operator, Preference, Variant};
use crate::ops::arithmetic::Binary;
use crate::ops::reduction::{self, Combine, Reduction, Term};
use crate::ops::reshape::Reshape;
use crate::ops::unary::Unary;
use crate::tensor::{Shape, TensorType};

/// The mean square of the elements' deviations from their mean, over axes.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Variance {
    /// The axes.
    pub axes: Axes,
    /// The sum of squares is divided by the number of elements minus this: 1 for the unbiased estimate from a sample,
    /// which is PyTorch's default, 0 for the variance of a population.
    pub correction: usize,
}

impl Variance {
    /// The divisor of the sum of squares.
    fn freedom(&self, input: &Shape) -> usize {
        self.axes.count(input).saturating_sub(self.correction)
    }
}

impl Operator for Variance {
    fn name(&self) -> &'static str {
        "variance"
    }

    fn arity(&self) -> (usize, usize) {
        (1, 1)
    }

    fn keeps_f32(&self, _output: usize) -> bool {
        true
    }

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        self.axes.check(inputs[0])?;
        let input = &inputs[0].shape;
        if self.freedom(input) == 0 {
            return Err(format!(
                "degrees of freedom is <= 0: {} elements of {input} with a correction of {}",
                self.axes.count(input),
                self.correction
            ));
        }
        Ok(vec![TensorType::f32(self.axes.output(input))])
    }

    fn backward(&self, cx: &mut BackwardContext<'_>) -> Result<()> {
        let x = cx.input(0);
        let input = cx.shape(x);
        let dy = cx.output_gradient(0)?;
        let dy = cx.apply1(Reshape { shape: self.axes.kept(&input) }, &[dy])?;
        let axes = Axes { keepdim: true, ..self.axes.clone() };
        let mean = cx.apply1(Reduce { function: Function::Mean, axes }, &[x])?;
        let deviation = cx.apply1(Binary::Sub, &[x, mean])?;
        let product = cx.apply1(Binary::Mul, &[deviation, dy])?;
        let factor = (2.0 / self.freedom(&input) as f64) as f32;
        let dx = cx.apply1(Unary::Scale { factor }, &[product])?;
        cx.set(0, dx);
        Ok(())
    }

    fn variants(&self, inputs: &[&TensorType], _caps: &Caps) -> Vec<Variant> {
        reduction::variants(&inputs[0].shape, &self.axes.kept(&inputs[0].shape))
    }

    fn preference(&self, _inputs: &[&TensorType]) -> Preference {
        reduction::PREFERENCE
    }

    /// Two passes: the mean relative to the first element, then the squares of deviations from it. Rounding is then
    /// relative to the deviations and not to the mean.
    fn lower(&self, cx: &mut LowerContext<'_>) -> Result<()> {
        let from = cx.input_type(0).shape.clone();
        let to = self.axes.kept(&from);
        let mean = cx.temporary(to.elements());
        let deviation = Reduction {
            combine: Combine::Sum,
            term: Term::Deviation,
            scale: 1.0 / self.axes.count(&from) as f64,
            source: None,
            result: Some(mean.clone()),
        };
        reduction::reduce(cx, &from, &to, &deviation)?;
        let squares = Reduction {
            combine: Combine::Sum,
            term: Term::SquareDeviation(mean),
            scale: 1.0 / self.freedom(&from) as f64,
            source: None,
            result: None,
        };
        reduction::reduce(cx, &from, &to, &squares)
    }

    fn has_epilogue(&self) -> bool {
        true
    }

    fn serial_terms(&self, inputs: &[&TensorType], variant: Variant) -> u64 {
        reduction::serial_terms(&inputs[0].shape, &self.axes.kept(&inputs[0].shape), variant)
    }

    fn flops(&self, inputs: &[&TensorType]) -> u64 {
        5 * inputs[0].shape.elements() as u64
    }
}
