//! Softmax and its logarithm along any axis. Their gradients need only the output.

use super::Operator;
use crate::error::Result;
use crate::graph::{Backward, Graph, Value};
use crate::plan::Lower;
use crate::reference::{Array, softmax as reference};
use crate::shader::{Kernel, ShaderFile};
use crate::shader_file;
use crate::tensor::{DType, Shape, TensorType};

static GROUP: ShaderFile = shader_file!("shared/group");
static TEAM: ShaderFile = shader_file!("shared/team");
static SOFTMAX: ShaderFile = shader_file!("softmax");
static GRAD: ShaderFile = shader_file!("softmax_grad");

/// Invocations of a workgroup, which teams share.
const LANES: usize = 64;

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
    /// Sets the shape of a kernel and finds its workgroups.
    fn kernel(self, cx: &Lower<'_>, main: &'static ShaderFile, shape: &Shape) -> Result<(Kernel, usize)> {
        let (terms, inner) = (shape[self.axis], shape[self.axis + 1..].iter().product());
        let rows = shape.elements() / terms;
        // Neighbouring rows lie side by side where there is an inner size: then invocations of
        // their own read side by side, as long as there are enough rows to go round.
        let team = if inner >= 16 && rows >= 32 * LANES { 1 } else { team(terms) };
        let kernel = Kernel::new(&[&GROUP, &TEAM, main])
            .with("TEAM", team as u32)
            .with("ROWS", cx.index(rows)?)
            .with("AXIS", cx.index(terms)?)
            .with("INNER", cx.index(inner)?)
            .with("LOG", self.log);
        Ok((kernel, rows.div_ceil(LANES / team)))
    }
}

/// How many invocations of a workgroup of 64 share a row of this many terms: a row of few is not
/// worth the barriers.
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

    fn backward(&self, cx: &mut Backward<'_>) -> Result<()> {
        let (y, dy) = (cx.output(0), cx.output_gradient(0)?);
        let dx = cx.apply1(SoftmaxGrad { forward: *self }, &[y, dy])?;
        cx.set(0, dx);
        Ok(())
    }

    fn lower(&self, cx: &mut Lower<'_>) -> Result<()> {
        let (kernel, groups) = self.kernel(cx, &SOFTMAX, &cx.output_type(0).shape)?;
        let operands = [cx.input(0), cx.output(0)];
        cx.dispatch(kernel, &operands, groups);
        Ok(())
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        vec![reference::softmax(self, inputs[0])]
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

    fn lower(&self, cx: &mut Lower<'_>) -> Result<()> {
        let (kernel, groups) = self.forward.kernel(cx, &GRAD, &cx.output_type(0).shape)?;
        let operands = [cx.input(0), cx.input(1), cx.output(0)];
        cx.dispatch(kernel, &operands, groups);
        Ok(())
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        vec![reference::softmax_grad(&self.forward, inputs[0], inputs[1])]
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
