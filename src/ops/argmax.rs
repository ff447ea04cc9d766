//! Argmax and argmin: the index of the largest or the smallest element along an axis.

use super::loops::{CUT_TERMS, shared, tree};
use super::rows::{Rows, Team};
use crate::error::Result;
use crate::graph::{Graph, Value};
use crate::op::occupancy::LANES;
use crate::op::{LowerContext, Operand, Operator};
use crate::ops::checks;
use crate::shader::{Kernel, kernels};
use crate::tensor::{Shape, TensorType};

/// The index (i32) of the largest element along an axis, or of the smallest; the first of equals. NaN
/// counts as both, as in PyTorch. It has no gradient.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ArgMax {
    /// The dimension that is searched.
    pub axis: usize,
    /// Whether the output keeps that dimension, with size 1.
    pub keepdim: bool,
    /// Whether to search for the smallest element.
    pub smallest: bool,
}

impl Operator for ArgMax {
    fn name(&self) -> &'static str {
        if self.smallest { "argmin" } else { "argmax" }
    }

    fn arity(&self) -> (usize, usize) {
        (1, 1)
    }

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        let shape = &inputs[0].shape;
        checks::f32_input(inputs[0])?;
        checks::axis(self.axis, shape)?;
        let mut sizes = shape.to_vec();
        if self.keepdim {
            sizes[self.axis] = 1;
        } else {
            sizes.remove(self.axis);
        }
        Ok(vec![TensorType::i32(sizes)])
    }

    fn lower(&self, cx: &mut LowerContext<'_>) -> Result<()> {
        let result = cx.output(0);
        self.lower_into(cx, result)
    }

    fn flops(&self, inputs: &[&TensorType]) -> u64 {
        inputs[0].shape.elements() as u64
    }
}

impl ArgMax {
    /// Records the search in the first input.
    pub(super) fn lower_into(&self, cx: &mut LowerContext<'_>, result: Operand) -> Result<()> {
        let rows = Rows::along(&cx.input_type(0).shape, self.axis);
        let terms = rows.terms;
        let (part, team) = match rows.team(1, 1) {
            Some(team) => (terms, team),
            None => (CUT_TERMS * LANES, Team::of(CUT_TERMS * LANES, LANES, 1, 1)),
        };
        let (count, parts) = (rows.count(), terms.div_ceil(part));
        let shaped = |cx: &LowerContext<'_>, file| -> Result<Kernel> {
            Ok(rows
                .shaped(cx, Kernel::new(file))?
                .with("ROWS", cx.index(count)?)
                .with("PARTS", cx.index(parts)?)
                .with("SMALLEST", self.smallest))
        };
        let kernel = shaped(cx, &kernels::argmax)?.with("PART_AXIS", cx.index(part)?);
        let (kernel, groups) = team.share(kernel, count * parts);
        let found = if parts > 1 { cx.temporary(count * parts) } else { result.clone() };
        let x = cx.input(0);
        cx.dispatch(kernel, &[x.clone(), found.clone()], groups);
        if parts == 1 {
            return Ok(());
        }
        let iterations = shared(parts, LANES) + tree(LANES);
        let kernel = shaped(cx, &kernels::argmax_merge)?.iterations(iterations);
        cx.dispatch(kernel, &[x, found, result], count);
        Ok(())
    }
}

impl Graph {
    /// The index (i32) of the first largest element along `axis`, or among all elements in row-major order if `axis`
    /// is `None`. If `keepdim` is set, the output keeps the axis with size 1. It has no gradient.
    ///
    /// # Errors
    /// An axis that `x` does not have, an input that is not f32.
    pub fn argmax(&mut self, x: Value, axis: Option<usize>, keepdim: bool) -> Result<Value> {
        self.search(x, axis, keepdim, false)
    }

    /// The index of the first smallest element; otherwise like [`Graph::argmax`].
    ///
    /// # Errors
    /// As [`Graph::argmax`].
    pub fn argmin(&mut self, x: Value, axis: Option<usize>, keepdim: bool) -> Result<Value> {
        self.search(x, axis, keepdim, true)
    }

    fn search(&mut self, x: Value, axis: Option<usize>, keepdim: bool, smallest: bool) -> Result<Value> {
        if let Some(axis) = axis {
            return self.apply1(ArgMax { axis, keepdim, smallest }, &[x]);
        }
        self.check_owned([x])?;
        let shape = self.shape_of(x).clone();
        let row = self.reshape(x, [shape.elements()])?;
        let index = self.apply1(ArgMax { axis: 0, keepdim: false, smallest }, &[row])?;
        if keepdim { self.reshape(index, Shape::from(vec![1; shape.len()])) } else { Ok(index) }
    }
}
