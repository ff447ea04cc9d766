//! A check of axes for builder methods.

use crate::error::Result;
use crate::graph::{Graph, Value};

impl Graph {
    /// The size of `x` along `axis`; fails if `x` does not have it.
    pub(super) fn size_along(&self, operator: &str, x: Value, axis: usize) -> Result<usize> {
        self.check_owned([x])?;
        let shape = self.shape_of(x);
        let message = || format!("axis {axis} is outside the {} dimensions of {shape}", shape.len());
        shape.get(axis).copied().ok_or_else(|| self.refusal(operator, message()))
    }
}
