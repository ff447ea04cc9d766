//! The kernel `map`, which makes each element by itself: operators that state how to make one, and element-wise
//! operators that are no other kernel's epilogue.

use super::{Argument, EpilogueOp, LowerContext};
use crate::error::{Error, Result};
use crate::op::occupancy::{ITEMS, LANES};
use crate::shader::{Kernel, ShaderFile, kernels};
use crate::tensor::TensorType;
use std::sync::Arc;

impl LowerContext<'_> {
    /// The kernel that makes so many elements of a result, each by itself, and its number of workgroups. The file fills
    /// the hole `made` with a function of the element's number; an invocation calls it for `items` elements. Elements are
    /// `f32`, or `vec4<f32>` where the kernel is recorded with a width of 4, and are counted as such. The result is
    /// bound behind what the file binds. The kernel ends in `epilogue` ([`LowerContext::dispatch_epilogue`]).
    ///
    /// ```
    /// use wgrad::Result;
    /// use wgrad::op::LowerContext;
    /// use wgrad::shader::ShaderFile;
    ///
    /// static HALF: ShaderFile = ShaderFile::new(
    ///     "half",
    ///     "\
    /// //! uses element
    /// //! fills made
    /// @group(0) @binding(0) var<storage, read> x: array<Element>;
    ///
    /// fn made(i: u32) -> Element {
    ///     return 0.5 * x[i];
    /// }
    /// ",
    /// );
    ///
    /// fn lower(cx: &mut LowerContext<'_>) -> Result<()> {
    ///     let elements = cx.output_type(0).shape.elements();
    ///     let (kernel, workgroups) = cx.made_by(&HALF, elements, 4)?;
    ///     cx.dispatch_epilogue(kernel, &[cx.input(0), cx.output(0)], workgroups, 1);
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    /// More elements than 31 bits count.
    pub fn made_by(
        &self,
        file: &'static ShaderFile,
        elements: usize,
        items: usize,
    ) -> Result<(Kernel, usize)> {
        let kernel = Kernel::new(&kernels::map).fill(file).named(file.name());
        Ok((self.sized(kernel, elements, items)?, elements.div_ceil(LANES * items)))
    }

    fn sized(&self, kernel: Kernel, elements: usize, items: usize) -> Result<Kernel> {
        Ok(kernel
            .with("ELEMENTS", self.index(elements)?)
            .with("ITEMS", items as u32)
            // The kernel has no loop for a single one.
            .iterations(if items > 1 { items as u64 } else { 0 })
            .epilogue_calls(items as u64))
    }

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
        let inputs = self.node.inputs.iter().copied().map(Argument::Tensor).collect();
        let own = EpilogueOp::new(operator, pointwise, inputs, self.output_type(0).shape.clone());
        self.chain.insert(0, own);
        let elements = self.output_type(0).shape.elements();
        let width = if elements.is_multiple_of(4) { 4 } else { 1 };
        let kernel = self.sized(Kernel::new(&kernels::map), elements / width, ITEMS)?;
        let operands = [self.output(0)];
        self.dispatch_epilogue(kernel, &operands, (elements / width).div_ceil(LANES * ITEMS), width);
        Ok(())
    }
}
