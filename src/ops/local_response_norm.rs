//! Local response normalisation: each element divided by a power of the squares of its neighbours in other channels.

use super::pack::pack;
use super::range_sum::Lines;
use crate::error::Result;
use crate::graph::{Graph, Value};
use crate::op::occupancy::ITEMS;
use crate::op::{BackwardContext, Caps, LowerContext, MAX_ITERATIONS, Operand, Operator, Variant};
use crate::ops::checks;
use crate::ops::serial;
use crate::shader::{ShaderFile, parts};
use crate::tensor::{Shape, TensorType};

const WIDE: Variant = Variant::new("wide");

/// Local response normalisation: `y[c] = x[c] / (k + alpha / size * sum of x[j]^2)^beta`, over the existing channels j
/// from `c - size / 2` to `c + (size - 1) / 2`. Input: x (N, C, ...). Outputs: y, and the term in parentheses, for the
/// gradient.
///
/// Krizhevsky, Sutskever and Hinton, "ImageNet Classification with Deep Convolutional Neural Networks", 2012, section
/// 3.3. The paper does not divide alpha by the size; PyTorch does.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct LocalResponseNorm {
    /// Channels of a window.
    pub size: usize,
    /// Factor of the mean of squares over a whole window.
    pub alpha: f32,
    /// Exponent.
    pub beta: f32,
    /// Added to that mean.
    pub k: f32,
}

/// Options of [`Graph::local_response_norm`], with PyTorch's names and defaults.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct LocalResponseNormOptions(LocalResponseNorm);

impl LocalResponseNormOptions {
    /// Windows of `size` channels, with PyTorch's defaults: alpha 1e-4, beta 0.75, k 1.
    pub fn new(size: usize) -> Self {
        LocalResponseNormOptions(LocalResponseNorm::new(size))
    }

    /// Sets the factor of the mean of squares, 1e-4 by default.
    #[must_use]
    pub fn alpha(mut self, alpha: f32) -> Self {
        self.0.alpha = alpha;
        self
    }

    /// Sets the exponent, 0.75 by default.
    #[must_use]
    pub fn beta(mut self, beta: f32) -> Self {
        self.0.beta = beta;
        self
    }

    /// Sets what is added to the squares, 1 by default.
    #[must_use]
    pub fn k(mut self, k: f32) -> Self {
        self.0.k = k;
        self
    }
}

impl LocalResponseNorm {
    /// Windows of `size` channels, with PyTorch's defaults: alpha 1e-4, beta 0.75, k 1.
    pub fn new(size: usize) -> Self {
        LocalResponseNorm { size, alpha: 1e-4, beta: 0.75, k: 1.0 }
    }

    fn check(&self, x: &TensorType) -> Result<(), String> {
        checks::f32_input(x)?;
        if x.shape.len() < 3 {
            return Err(format!(
                "Expected 3D or higher dimensionality input (got {} dimensions)",
                x.shape.len()
            ));
        }
        if self.size == 0 {
            return Err("size must be at least 1, found 0".into());
        }
        for (name, number) in [("alpha", self.alpha), ("beta", self.beta), ("k", self.k)] {
            if !number.is_finite() {
                return Err(format!("{name} must be a finite number, found {number}"));
            }
        }
        Ok(())
    }

    /// Records the kernel in which `made` makes an element from the sum over a window of `terms`. `terms` bind `line`; the
    /// operands before that are `first`.
    fn lower_windows(
        &self,
        cx: &mut LowerContext<'_>,
        (made, constants): (&'static ShaderFile, &[(&'static str, f32)]),
        terms: &'static ShaderFile,
        first: &[Operand],
        line: Operand,
    ) -> Result<()> {
        let shape = cx.input_type(0).shape.clone();
        let plane: usize = shape[2..].iter().product();
        let width = if plane.is_multiple_of(4) { 4 } else { 1 };
        let lines = Lines { lines: shape[0], length: shape[1], plane: plane / width, width };
        let packs = shape.elements() / width;
        let mut operands: Vec<Operand> = first.iter().cloned().chain([line.clone()]).collect();
        let (kernel, groups) = if cx.variant() == WIDE {
            operands.extend(lines.block_sums(cx, terms, &[line])?);
            let (kernel, groups) = cx.made_by(made, packs, 1)?;
            (lines.summed(cx, kernel.fill(&parts::window_blocks))?, groups)
        } else {
            let (kernel, groups) = cx.made_by(made, packs, ITEMS)?;
            let window = self.size.min(shape[1]) as u64;
            let kernel = kernel.fill(&parts::window_loop).iterations(ITEMS as u64 * window);
            (lines.shaped(cx, kernel)?, groups)
        };
        // A window has at most all channels.
        let reach = |neighbours: usize| cx.index(neighbours.min(shape[1]));
        let kernel = kernel
            .with("LOWER", reach(self.size / 2)?)
            .with("UPPER", reach((self.size - 1) / 2)?)
            .with("RATE", self.alpha / self.size as f32)
            .with("BETA", self.beta);
        let kernel = constants.iter().fold(kernel, |kernel, &(name, value)| kernel.with(name, value));
        operands.push(cx.output(0));
        cx.dispatch_epilogue(kernel, &operands, groups, width);
        Ok(())
    }

    /// Loop iterations of an invocation that reads whole windows.
    fn iterations(&self, shape: &Shape) -> u64 {
        (ITEMS * (1 + self.size.min(shape[1]))) as u64
    }

    fn variants(&self, shape: &Shape) -> Vec<Variant> {
        vec![if self.iterations(shape) <= MAX_ITERATIONS { Variant::DEFAULT } else { WIDE }]
    }
}

impl Operator for LocalResponseNorm {
    fn name(&self) -> &'static str {
        "local_response_norm"
    }

    fn arity(&self) -> (usize, usize) {
        (1, 1)
    }

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        self.check(inputs[0])?;
        Ok(vec![inputs[0].clone(); 2])
    }

    fn backward(&self, cx: &mut BackwardContext<'_>) -> Result<()> {
        let inputs = [cx.input(0), cx.output_gradient(0)?, cx.output(1)];
        let gradient = cx.apply1(LocalResponseNormGrad(*self), &inputs)?;
        cx.set(0, gradient);
        Ok(())
    }

    fn has_epilogue(&self) -> bool {
        true
    }

    fn variants(&self, inputs: &[&TensorType], _caps: &Caps) -> Vec<Variant> {
        self.variants(&inputs[0].shape)
    }

    fn lower(&self, cx: &mut LowerContext<'_>) -> Result<()> {
        let (x, scales) = (cx.input(0), cx.output(1));
        self.lower_windows(
            cx,
            (&parts::local_response_norm, &[("K", self.k)]),
            &parts::line_squares,
            &[scales],
            x,
        )
    }

    fn serial_terms(&self, inputs: &[&TensorType], _variant: Variant) -> u64 {
        serial::shared(self.size.min(inputs[0].shape[1]), 1)
    }

    fn flops(&self, inputs: &[&TensorType]) -> u64 {
        (2 * self.size.min(inputs[0].shape[1]) as u64 + 4) * inputs[0].shape.elements() as u64
    }
}

/// The gradient of [`LocalResponseNorm`] by its input. Inputs: x, the gradient of y, the second output.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct LocalResponseNormGrad(pub LocalResponseNorm);

impl Operator for LocalResponseNormGrad {
    fn name(&self) -> &'static str {
        "local_response_norm_grad"
    }

    fn arity(&self) -> (usize, usize) {
        (3, 3)
    }

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        self.0.check(inputs[0])?;
        match inputs[1..].iter().find(|ty| **ty != inputs[0]) {
            Some(found) => {
                Err(format!("expects gradient and scales like the input {}, found {found}", inputs[0]))
            }
            None => Ok(vec![inputs[0].clone()]),
        }
    }

    fn has_epilogue(&self) -> bool {
        true
    }

    fn variants(&self, inputs: &[&TensorType], _caps: &Caps) -> Vec<Variant> {
        self.0.variants(&inputs[0].shape)
    }

    fn lower(&self, cx: &mut LowerContext<'_>) -> Result<()> {
        let elements = cx.output_type(0).shape.elements();
        let (width, _) = pack(elements);
        let terms = cx.temporary(elements);
        let (kernel, groups) = cx.made_by(&parts::local_response_norm_terms, elements / width, ITEMS)?;
        let inputs = [cx.input(0), cx.input(1), cx.input(2)];
        let operands: Vec<Operand> = inputs.iter().cloned().chain([terms.clone()]).collect();
        cx.dispatch_without_epilogue(kernel.with("BETA", self.0.beta), &operands, groups, width);
        self.0.lower_windows(cx, (&parts::local_response_norm_grad, &[]), &parts::line_plain, &inputs, terms)
    }

    fn serial_terms(&self, inputs: &[&TensorType], _variant: Variant) -> u64 {
        serial::shared(self.0.size.min(inputs[0].shape[1]), 1)
    }

    fn flops(&self, inputs: &[&TensorType]) -> u64 {
        (self.0.size.min(inputs[0].shape[1]) as u64 + 8) * inputs[0].shape.elements() as u64
    }
}

impl Graph {
    /// Divides each element of `x` (N, C, ...) by a power of the squares of its neighbours in other channels:
    /// [`LocalResponseNorm`] has the formula.
    ///
    /// # Errors
    /// Fewer than three dimensions, a size of 0, options that are not finite.
    pub fn local_response_norm(&mut self, x: Value, options: LocalResponseNormOptions) -> Result<Value> {
        Ok(self.apply(options.0, &[x])?[0])
    }
}
