//! What a reduction combines, and the dispatches that do.

use crate::error::Result;
use crate::op::{LowerContext, Operand};
use crate::shader::{Kernel, ShaderFile, parts};

/// The function that combines two terms.
#[derive(Clone, Copy, Debug)]
pub(in crate::ops) enum Combine {
    Sum,
    Max,
    Min,
}

/// The terms of a reduction.
#[derive(Clone, Debug)]
pub(in crate::ops) enum Term {
    /// The elements.
    Plain,
    /// The elements minus the first one of the same output.
    Deviation,
    /// The squares of the elements minus the first one of the same output and minus this mean.
    SquareDeviation(Operand),
    /// 1 for each element that equals the output's number in this operand.
    Equal(Operand),
    /// The exponentials of the elements minus the output's number in this operand.
    Exponential(Operand),
    /// Like `Exponential`, without elements that equal the number.
    Below(Operand),
    /// The output's number in this operand minus the elements.
    Gap(Operand),
    /// Like `Gap`, times a weight: element `i` has weight number `i / inner % weights`.
    WeightedGap(Operand, ClassWeights),
    /// The elements times those of this operand, which has the same shape.
    Product(Operand),
}

/// The weights of classes, and which of them an element has.
#[derive(Clone, Debug)]
pub(in crate::ops) struct ClassWeights {
    pub weights: Operand,
    pub count: usize,
    pub inner: usize,
}

/// A reduction of the first input, or of another tensor.
#[derive(Clone, Debug)]
pub(in crate::ops) struct Reduction {
    pub combine: Combine,
    pub term: Term,
    /// Factor of the result.
    pub scale: f64,
    /// The tensor to reduce. `None` is the first input.
    pub source: Option<Operand>,
    /// Where the result goes. `None` is the first output, through its epilogue.
    pub result: Option<Operand>,
}

impl Reduction {
    /// The sum of the elements, into the first output.
    pub(super) const SUM: Reduction =
        Reduction { combine: Combine::Sum, term: Term::Plain, scale: 1.0, source: None, result: None };

    pub(super) fn is_plain(&self) -> bool {
        matches!(self.term, Term::Plain)
    }

    pub(super) fn source(&self, cx: &LowerContext<'_>) -> Operand {
        self.source.clone().unwrap_or_else(|| cx.input(0))
    }

    /// Whether the terms are made from single elements, never from packs.
    pub(super) fn is_single(&self) -> bool {
        matches!(self.term, Term::WeightedGap(..))
    }

    /// The files that define terms and their combination, and the further operands of the terms.
    pub(super) fn files(&self, first: bool) -> (Vec<&'static ShaderFile>, Vec<Operand>) {
        let combine = match self.combine {
            Combine::Sum => &parts::combine_sum,
            Combine::Max => &parts::combine_max,
            Combine::Min => &parts::combine_min,
        };
        // Further dispatches reduce parts, whose elements are terms already.
        let (term, beside) = match self.term.clone() {
            _ if !first => (None, vec![]),
            Term::Plain => (None, vec![]),
            Term::Deviation => (Some(&parts::term_deviation), vec![]),
            Term::SquareDeviation(mean) => (Some(&parts::term_square_deviation), vec![mean]),
            Term::Equal(number) => (Some(&parts::term_equal), vec![number]),
            Term::Exponential(number) => (Some(&parts::term_exponential), vec![number]),
            Term::Below(number) => (Some(&parts::term_below), vec![number]),
            Term::Gap(number) => (Some(&parts::term_gap), vec![number]),
            Term::WeightedGap(number, ClassWeights { weights, .. }) => {
                (Some(&parts::term_weighted_gap), vec![number, weights])
            }
            Term::Product(factors) => (Some(&parts::term_product), vec![factors]),
        };
        ([Some(combine), term].into_iter().flatten().collect(), beside)
    }

    /// Records one dispatch, from the source or scratch memory to scratch memory or the result.
    pub(super) fn dispatch(
        &self,
        cx: &mut LowerContext<'_>,
        step: Step,
        kernel: Kernel,
        groups: usize,
        width: usize,
    ) -> Result<()> {
        let scale = if step.part.is_some() { 1.0 } else { self.scale };
        let mut kernel = kernel.with("SCALE", scale as f32);
        if let (true, Term::WeightedGap(_, ClassWeights { count, inner, .. })) = (step.first, &self.term) {
            kernel = kernel.with("WEIGHTS", cx.index(*count)?).with("INNER", cx.index(*inner)?);
        }
        let result = step.part.or_else(|| self.result.clone());
        let mut operands = vec![step.source, result.clone().unwrap_or_else(|| cx.output(0))];
        operands.extend(step.beside);
        match result {
            None => cx.dispatch_epilogue(kernel, &operands, groups, width),
            Some(_) => cx.dispatch_without_epilogue(kernel, &operands, groups, width),
        }
        Ok(())
    }
}

/// The input and output of one dispatch.
pub(super) struct Step {
    pub source: Operand,
    pub beside: Vec<Operand>,
    /// Scratch memory for parts that a further dispatch reduces.
    pub part: Option<Operand>,
    /// Whether this dispatch computes the terms.
    pub first: bool,
}
