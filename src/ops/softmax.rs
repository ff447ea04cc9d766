//! Softmax and its logarithm along any axis. Their gradients need only the output.
//!
//! A team of invocations makes a row. If rows are too long for that, the largest element and the sum are separate
//! reductions (`reduction`), and a further kernel makes the elements.

use super::loops::{fits, shared, tree};
use super::reduction::{Combine, Reduction, Term, reduce_within};
use crate::error::Result;
use crate::graph::{Graph, Value};
use crate::op::occupancy::{self, ITEMS, LANES};
use crate::op::{BackwardContext, LowerContext, Operand, Operator, Variant};
use crate::ops::serial;
use crate::shader::{Kernel, ShaderFile, kernels};
use crate::tensor::{DType, Shape, TensorType};

/// `exp(x) / sum of exp(x)` along an axis, or the logarithm of that. Stable for any finite input.
/// The output has the input's shape.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Softmax {
    /// The dimension that is summed over.
    pub axis: usize,
    /// Whether the output is the logarithm.
    pub log: bool,
}

impl Softmax {
    /// Sets the shape of a kernel that reads a row `passes` times, and returns its number of workgroups too. `None`
    /// if rows are too long.
    fn kernel(
        self,
        cx: &LowerContext<'_>,
        main: &'static ShaderFile,
        passes: u64,
        shape: &Shape,
    ) -> Result<Option<(Kernel, usize)>> {
        let (terms, inner) = (shape[self.axis], shape[self.axis + 1..].iter().product());
        let rows = shape.elements() / terms;
        let Team { lanes, iterations } = Team::of(terms, inner, rows, occupancy::ROWS, passes, passes - 1);
        if !fits(iterations) {
            return Ok(None);
        }
        let kernel = Kernel::new(main)
            .with("TEAM", lanes as u32)
            .with("ROWS", cx.index(rows)?)
            .with("AXIS", cx.index(terms)?)
            .with("INNER", cx.index(inner)?)
            .with("LOG", self.log)
            .iterations(iterations);
        Ok(Some((kernel, rows.div_ceil(LANES / lanes))))
    }

    /// Records the kernel that makes each element from the sums of its row.
    fn apply(
        self,
        cx: &mut LowerContext<'_>,
        main: &'static ShaderFile,
        operands: &[Operand],
        shape: &Shape,
    ) -> Result<()> {
        let kernel = Kernel::new(main)
            .with("ELEMENTS", cx.index(shape.elements())?)
            .with("AXIS", cx.index(shape[self.axis])?)
            .with("INNER", cx.index(shape[self.axis + 1..].iter().product())?)
            .with("LOG", self.log)
            .with("ITEMS", ITEMS as u32)
            .iterations(ITEMS as u64);
        cx.dispatch(kernel, operands, shape.elements().div_ceil(LANES * ITEMS));
        Ok(())
    }
}

/// The shape (outer, terms, inner) for reductions over the terms, and the shape of their results.
pub(super) fn along(shape: &Shape, axis: usize) -> [Shape; 2] {
    let (outer, inner) = (shape[..axis].iter().product(), shape[axis + 1..].iter().product());
    [[outer, shape[axis], inner].into(), [outer, 1, inner].into()]
}

/// Records a reduction of `source` along an axis of its shape into scratch memory.
pub(super) fn reduce_along(
    cx: &mut LowerContext<'_>,
    source: Operand,
    [from, to]: &[Shape; 2],
    combine: Combine,
    term: Term,
) -> Result<Operand> {
    let result = cx.temporary(to.elements());
    let reduction =
        Reduction { combine, term, scale: 1.0, source: Some(source), result: Some(result.clone()) };
    reduce_within(cx, from, to, &reduction)?;
    Ok(result)
}

/// The invocations that share a row, and the loop iterations of each.
pub(super) struct Team {
    pub lanes: usize,
    pub iterations: u64,
}

impl Team {
    /// The team for rows of this many terms, (outer, terms, inner) in memory. It reads them `passes` times and
    /// combines `trees` values of its invocations.
    pub fn of(terms: usize, inner: usize, rows: usize, enough: usize, passes: u64, trees: u64) -> Team {
        let of = |lanes| Team { lanes, iterations: passes * shared(terms, lanes) + trees * tree(lanes) };
        // With an inner size neighbouring rows lie side by side. If there are enough rows, each gets one invocation,
        // and neighbouring invocations read neighbouring elements.
        let own = of(1);
        if inner >= 16 && rows >= enough && fits(own.iterations) { own } else { of(team(terms)) }
    }
}

/// The number of invocations of a workgroup of 64 that share a row of this many terms. A short row is not worth the
/// barriers.
pub(super) fn team(terms: usize) -> usize {
    if terms <= 32 { 1 } else { LANES }
}

impl Operator for Softmax {
    fn name(&self) -> &'static str {
        if self.log { "log_softmax" } else { "softmax" }
    }

    fn arity(&self) -> (usize, usize) {
        (1, 1)
    }

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        if inputs[0].dtype != DType::F32 {
            return Err(format!("expects an f32 input, found {}", inputs[0]));
        }
        if self.axis >= inputs[0].shape.len() {
            return Err(format!(
                "axis {} is outside the {} dimensions of {}",
                self.axis,
                inputs[0].shape.len(),
                inputs[0].shape
            ));
        }
        Ok(vec![inputs[0].clone()])
    }

    fn backward(&self, cx: &mut BackwardContext<'_>) -> Result<()> {
        let (y, dy) = (cx.output(0), cx.output_gradient(0)?);
        let dx = cx.apply1(SoftmaxGrad { forward: *self }, &[y, dy])?;
        cx.set(0, dx);
        Ok(())
    }

    fn lower(&self, cx: &mut LowerContext<'_>) -> Result<()> {
        let shape = cx.output_type(0).shape.clone();
        let (x, y) = (cx.input(0), cx.output(0));
        if let Some((kernel, groups)) = self.kernel(cx, &kernels::softmax, 3, &shape)? {
            cx.dispatch(kernel, &[x, y], groups);
            return Ok(());
        }
        let rows = along(&shape, self.axis);
        let maxima = reduce_along(cx, x.clone(), &rows, Combine::Max, Term::Plain)?;
        let term = Term::Exponential(maxima.clone());
        let sums = reduce_along(cx, x.clone(), &rows, Combine::Sum, term)?;
        self.apply(cx, &kernels::softmax_apply, &[x, maxima, sums, y], &shape)
    }

    fn serial_terms(&self, inputs: &[&TensorType], _variant: Variant) -> u64 {
        // One invocation makes a row of few terms, a team any other.
        serial::shared(inputs[0].shape[self.axis], 64)
    }

    fn flops(&self, inputs: &[&TensorType]) -> u64 {
        5 * inputs[0].shape.elements() as u64
    }
}

/// Gradient of [`Softmax`] by its input, from its output and the output's gradient.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct SoftmaxGrad {
    /// The forward operator.
    pub forward: Softmax,
}

impl Operator for SoftmaxGrad {
    fn name(&self) -> &'static str {
        if self.forward.log { "log_softmax_grad" } else { "softmax_grad" }
    }

    fn arity(&self) -> (usize, usize) {
        (2, 2)
    }

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        if inputs[0] != inputs[1] {
            return Err(format!("expects a gradient like the output {}, found {}", inputs[0], inputs[1]));
        }
        self.forward.infer(&inputs[..1])
    }

    fn lower(&self, cx: &mut LowerContext<'_>) -> Result<()> {
        let shape = cx.output_type(0).shape.clone();
        let (y, dy, dx) = (cx.input(0), cx.input(1), cx.output(0));
        if let Some((kernel, groups)) = self.forward.kernel(cx, &kernels::softmax_grad, 2, &shape)? {
            cx.dispatch(kernel, &[y, dy, dx], groups);
            return Ok(());
        }
        let term = if self.forward.log { Term::Plain } else { Term::Product(y.clone()) };
        let rows = along(&shape, self.forward.axis);
        let sums = reduce_along(cx, dy.clone(), &rows, Combine::Sum, term)?;
        self.forward.apply(cx, &kernels::softmax_grad_apply, &[y, dy, sums, dx], &shape)
    }

    fn serial_terms(&self, inputs: &[&TensorType], _variant: Variant) -> u64 {
        // One invocation makes a row of few terms, a team any other.
        serial::shared(inputs[0].shape[self.forward.axis], 64)
    }

    fn flops(&self, inputs: &[&TensorType]) -> u64 {
        4 * inputs[0].shape.elements() as u64
    }
}

impl Graph {
    /// `exp(x) / sum of exp(x)` along `axis`.
    ///
    /// # Errors
    /// An axis that `x` does not have, or an input that is not f32.
    pub fn softmax(&mut self, x: Value, axis: usize) -> Result<Value> {
        self.apply1(Softmax { axis, log: false }, &[x])
    }

    /// The logarithm of [`Graph::softmax`], without its rounding: for a loss made of several
    /// operators. [`Graph::cross_entropy`] has it built in.
    ///
    /// # Errors
    /// As [`Graph::softmax`].
    pub fn log_softmax(&mut self, x: Value, axis: usize) -> Result<Value> {
        self.apply1(Softmax { axis, log: true }, &[x])
    }
}
