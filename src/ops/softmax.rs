//! Softmax and its logarithm along any axis. Their gradients need only the output.
//!
//! A team of invocations makes a row. If rows are too long for that, the largest element and the sum are separate
//! reductions, and a further kernel makes the elements (`rows` decides).

use super::reduction::{Combine, Term};
use super::rows::Rows;
use crate::error::Result;
use crate::graph::{Graph, Value};
use crate::op::occupancy::ITEMS;
use crate::op::{BackwardContext, LowerContext, Operand, Operator, Variant};
use crate::ops::checks;
use crate::ops::serial;
use crate::shader::{Kernel, ShaderFile, kernels, parts};
use crate::tensor::{Shape, TensorType};

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
        let rows = Rows::along(shape, self.axis);
        let Some(team) = rows.team(passes, passes - 1) else { return Ok(None) };
        let kernel =
            rows.shaped(cx, Kernel::new(main))?.with("ROWS", cx.index(rows.count())?).with("LOG", self.log);
        Ok(Some(team.share(kernel, rows.count())))
    }

    /// Records the kernel that makes each element from the sums of its row.
    fn apply(
        self,
        cx: &mut LowerContext<'_>,
        made: &'static ShaderFile,
        operands: &[Operand],
        shape: &Shape,
    ) -> Result<()> {
        let rows = Rows::along(shape, self.axis);
        let (kernel, groups) = cx.made_by(made, shape.elements(), ITEMS)?;
        let kernel = rows.shaped(cx, kernel)?.with("LOG", self.log);
        cx.dispatch_without_epilogue(kernel, operands, groups, 1);
        Ok(())
    }
}

impl Operator for Softmax {
    fn name(&self) -> &'static str {
        if self.log { "log_softmax" } else { "softmax" }
    }

    fn arity(&self) -> (usize, usize) {
        (1, 1)
    }

    fn keeps_f32(&self, _output: usize) -> bool {
        true
    }

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        checks::f32_input(inputs[0])?;
        checks::axis(self.axis, &inputs[0].shape)?;
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
        let rows = Rows::along(&shape, self.axis);
        let maxima = rows.reduce(cx, x.clone(), Combine::Max, Term::Plain)?;
        let sums = rows.reduce(cx, x.clone(), Combine::Sum, Term::Exponential(maxima.clone()))?;
        self.apply(cx, &parts::softmax_apply, &[x, maxima, sums, y], &shape)
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
        checks::gradient(inputs[1], inputs[0])?;
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
        let rows = Rows::along(&shape, self.forward.axis);
        let sums = rows.reduce(cx, dy.clone(), Combine::Sum, term)?;
        self.forward.apply(cx, &parts::softmax_grad_apply, &[y, dy, sums, dx], &shape)
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
    /// ```
    /// # fn main() -> wgrad::Result<()> {
    /// use wgrad::Graph;
    ///
    /// let mut g = Graph::new();
    /// let logits = g.input("logits", [32, 10])?;
    /// let probabilities = g.softmax(logits, 1)?;
    /// assert_eq!(g.shape(probabilities)?, g.shape(logits)?);
    /// # Ok(())
    /// # }
    /// ```
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
