//! Cross-entropy over rows with too many classes for the loops of a team of invocations. The largest score and the
//! sums are separate reductions, and further kernels compute the losses and the gradient from them.

use super::{ClassScores, CrossEntropy, rows};
use crate::error::Result;
use crate::op::occupancy::{ITEMS, LANES};
use crate::op::{LowerContext, Operand};
use crate::ops::losses::Reduction;
use crate::ops::reduction::{ClassWeights, Combine, Term};
use crate::ops::rows::Rows;
use crate::shader::{Kernel, kernels, parts};

/// The results of the reductions: a line for each row, if asked for, and the sum of the classes' weights, unless all
/// are one.
struct Reduced {
    lines: Option<Operand>,
    all_weights: Option<Operand>,
}

impl CrossEntropy {
    /// Records the losses and weights of the rows.
    pub(super) fn lower_long_rows(
        self,
        cx: &mut LowerContext<'_>,
        weight: Option<Operand>,
        [losses, row_weights]: [Operand; 2],
    ) -> Result<()> {
        let reduced = self.reduce_scores(cx, weight.as_ref(), true)?;
        let kernel =
            self.of_lines(cx, Kernel::new(&kernels::cross_entropy_finalize), weight.is_some(), &reduced)?;
        let mut operands = vec![cx.input(0), cx.input(1), losses, row_weights];
        operands.extend([reduced.lines, weight, reduced.all_weights].into_iter().flatten());
        let rows = cx.input_type(1).shape.elements();
        cx.dispatch(kernel, &operands, rows.div_ceil(LANES));
        Ok(())
    }

    /// Records the gradient.
    pub(super) fn lower_long_grad(self, cx: &mut LowerContext<'_>, weight: Option<Operand>) -> Result<()> {
        let reduced = self.reduce_scores(cx, weight.as_ref(), false)?;
        let elements = cx.input_type(0).shape.elements();
        let (kernel, groups) = cx.made_by(&parts::cross_entropy_grad_apply, elements, ITEMS)?;
        let kernel = self
            .of_lines(cx, kernel, weight.is_some(), &reduced)?
            .with("MEAN", self.reduction == Reduction::Mean)
            .with("EACH", self.reduction == Reduction::None);
        let mut operands = vec![cx.input(0), cx.input(1), cx.input(2), cx.input(3)];
        operands.extend([reduced.lines, weight, reduced.all_weights].into_iter().flatten());
        operands.push(cx.output(0));
        cx.dispatch_without_epilogue(kernel, &operands, groups, 1);
        Ok(())
    }

    /// Records the reductions of the scores that both need. The loss with smoothing needs more than the gradient.
    fn reduce_scores(
        self,
        cx: &mut LowerContext<'_>,
        weight: Option<&Operand>,
        loss: bool,
    ) -> Result<Reduced> {
        let rows = rows(cx.input_type(0));
        let smoothed = self.label_smoothing > 0.0;
        let all_weights = match weight {
            Some(weight) if smoothed => {
                let row = Rows { outer: 1, inner: 1, ..rows };
                Some(row.reduce(cx, weight.clone(), Combine::Sum, Term::Plain)?)
            }
            _ => None,
        };
        if self.scores == ClassScores::LogProbabilities && !(loss && smoothed) {
            return Ok(Reduced { lines: None, all_weights });
        }
        let scores = cx.input(0);
        let maxima = rows.reduce(cx, scores.clone(), Combine::Max, Term::Plain)?;
        let mut sum = |term| rows.reduce(cx, scores.clone(), Combine::Sum, term);
        let below = sum(Term::Below(maxima.clone()))?;
        let maximal = sum(Term::Equal(maxima.clone()))?;
        let gaps = match weight {
            _ if !(loss && smoothed) => maxima.clone(),
            None => sum(Term::Gap(maxima.clone()))?,
            Some(weight) => {
                let weights = ClassWeights { weights: weight.clone(), count: rows.terms, inner: rows.inner };
                sum(Term::WeightedGap(maxima.clone(), weights))?
            }
        };
        let count = rows.count();
        let lines = cx.temporary(4 * count);
        let (kernel, groups) = cx.made_by(&parts::cross_entropy_lines, count, 1)?;
        cx.dispatch_without_epilogue(kernel, &[maxima, below, maximal, gaps, lines.clone()], groups, 4);
        Ok(Reduced { lines: Some(lines), all_weights })
    }

    /// Has a kernel read what was reduced, and sets the shape.
    fn of_lines(
        self,
        cx: &LowerContext<'_>,
        kernel: Kernel,
        weighted: bool,
        reduced: &Reduced,
    ) -> Result<Kernel> {
        let files = [
            reduced.lines.is_some().then_some(&parts::score_line),
            weighted.then_some(&parts::class_weight),
            reduced.all_weights.is_some().then_some(&parts::all_weights),
        ];
        self.shaped(cx, kernel.fill_all(files.into_iter().flatten()))
    }
}
