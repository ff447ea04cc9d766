//! The kernel `map`, which runs element-wise operators that are no other kernel's epilogue.

use super::{EpilogueOp, LowerContext};
use crate::error::{Error, Result};
use crate::op::occupancy::{ITEMS, LANES};
use crate::shader::{Kernel, kernels};
use crate::tensor::TensorType;
use std::sync::Arc;

impl LowerContext<'_> {
    /// Records an element-wise operator as a dispatch of its own.
    ///
    /// # Errors
    /// An operator that is not element-wise.
    pub fn map(&mut self) -> Result<()> {
        let types: Vec<TensorType> = (0..self.inputs()).map(|i| self.input_type(i).clone()).collect();
        let operator = Arc::clone(&self.node.operator);
        let Some(pointwise) = operator.pointwise(&types.iter().collect::<Vec<_>>()) else {
            return Err(Error::Node {
                operator: operator.name().to_owned(),
                node: self.node.name.clone(),
                message: "has no kernels: it states neither `lower` nor `pointwise`".into(),
            });
        };
        let inputs = self.node.inputs.iter().copied().map(Some).collect();
        let own = EpilogueOp { operator, pointwise, inputs, shape: self.output_type(0).shape.clone() };
        self.chain.insert(0, own);
        let elements = self.output_type(0).shape.elements();
        let width = if elements.is_multiple_of(4) { 4 } else { 1 };
        let kernel = Kernel::new(&kernels::map)
            .with("ELEMENTS", self.index(elements / width)?)
            .with("ITEMS", ITEMS as u32)
            .iterations(ITEMS as u64)
            .epilogue_calls(ITEMS as u64);
        let operands = [self.output(0)];
        self.dispatch_epilogue(kernel, &operands, (elements / width).div_ceil(LANES * ITEMS), width);
        Ok(())
    }
}
