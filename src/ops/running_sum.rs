//! A sum over steps, kept on the device: counts of a whole epoch are read once.

use super::pack::pack;
use crate::error::Result;
use crate::graph::{Graph, Init, Value};
use crate::op::{LowerContext, Operator};
use crate::ops::checks;
use crate::shader::{Kernel, kernels};
use crate::tensor::TensorType;

/// Adds a tensor to a sum, element by element. Inputs: x; the sum so far, of x's shape. Output: the sum, in place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RunningSum {
    /// Whether a step of several micro-batches adds once, what the first of them makes, instead of for each: for tensors
    /// that all of them have.
    pub once: bool,
}

impl Operator for RunningSum {
    fn name(&self) -> &'static str {
        "running_sum"
    }

    fn arity(&self) -> (usize, usize) {
        (2, 2)
    }

    fn keeps_f32(&self, _output: usize) -> bool {
        true
    }

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        checks::f32_input(inputs[0])?;
        if inputs[0] != inputs[1] {
            return Err(format!("expects a sum like the input {}, found {}", inputs[0], inputs[1]));
        }
        Ok(vec![inputs[0].clone()])
    }

    fn lower(&self, cx: &mut LowerContext<'_>) -> Result<()> {
        let elements = cx.input_type(0).shape.elements();
        let (width, pack) = pack(elements);
        let packs = elements / width;
        let kernel =
            Kernel::new(&kernels::running_sum).fill(pack).with("PACKS", cx.index(packs)?).iterations(4);
        let operands = [cx.input(0), cx.output(0)];
        cx.dispatch(kernel, &operands, packs.div_ceil(256));
        Ok(())
    }

    fn in_place(&self) -> Vec<(usize, usize)> {
        vec![(0, 1)]
    }

    fn runs_once(&self) -> bool {
        self.once
    }
}

impl Graph {
    /// The sum of `x` over all steps since the sum was last set: state of this name, of x's shape, which begins as zeros
    /// and is not part of a state dict. Read it by [`Session::read`](crate::Session::read) of the value returned, and set
    /// it by [`Weights::write`](crate::Weights::write).
    ///
    /// Whole numbers stay exact up to 2^24. Weights of another graph have no memory for the sum;
    /// [`Weights::with_state_of`](crate::Weights::with_state_of) adds it.
    ///
    /// ```
    /// # fn main() -> wgrad::Result<()> {
    /// let mut g = wgrad::Graph::new();
    /// let x = g.input("x", [10, 10])?;
    /// let sum = g.running_sum("counts", x)?;
    /// assert_eq!(g.shape(sum)?[..], [10, 10]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// An `x` that is not f32; a name that the graph has already.
    pub fn running_sum(&mut self, name: &str, x: Value) -> Result<Value> {
        self.check_owned([x])?;
        let sum = self.state(name, self.shape_of(x).clone(), Init::Constant(0.0), false)?;
        self.apply1(RunningSum { once: false }, &[x, sum])
    }
}
