//! The p-norm of elements along axes. It is made of other operators and has no kernels.

use super::unary::Unary;
use crate::error::Result;
use crate::graph::{Graph, Value};

impl Graph {
    /// The p-norm of the elements along `axes`, or of all elements if `axes` is empty: (sum of |x|^p)^(1/p), as
    /// PyTorch's `torch.linalg.vector_norm`. With an infinite p it is the largest magnitude. If `keepdim` is set, the
    /// output keeps the axes with size 1. Where the norm is 0, so is its gradient.
    ///
    /// # Errors
    /// p that is not above 0; as [`Graph::sum`].
    pub fn vector_norm(&mut self, x: Value, p: f32, axes: &[usize], keepdim: bool) -> Result<Value> {
        self.check_owned([x])?;
        if p.is_nan() || p <= 0.0 {
            return Err(self.refusal("vector_norm", format!("p must be above 0, found {p}")));
        }
        if p == 2.0 {
            let squares = self.mul(x, x)?;
            let sum = self.sum(squares, axes, keepdim)?;
            return self.apply1(Unary::NormPower { exponent: 0.5 }, &[sum]);
        }
        let sizes = self.abs(x)?;
        if p == f32::INFINITY {
            return self.max(sizes, axes, keepdim);
        }
        if p == 1.0 {
            return self.sum(sizes, axes, keepdim);
        }
        let powers = self.apply1(Unary::NormPower { exponent: p }, &[sizes])?;
        let sum = self.sum(powers, axes, keepdim)?;
        self.apply1(Unary::NormPower { exponent: 1.0 / p }, &[sum])
    }
}
