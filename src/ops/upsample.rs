//! Resampling of the two spatial dimensions of (N, C, H, W), by nearest element or bilinear, up or down, and its
//! gradients. Sizes and positions are PyTorch's. The backward pass gathers: an input element inverts the rule of
//! positions to find the outputs that it contributes to.

use super::parts::{self, Parts, Sum, scratch};
use crate::error::Result;
use crate::graph::{Graph, Value};
use crate::op::{BackwardContext, Caps, LowerContext, MAX_ITERATIONS, Operand, Operator, Variant};
use crate::ops::checks;
use crate::ops::serial;
use crate::shader::{self, Kernel, ShaderFile};
use crate::tensor::{Shape, TensorType};

const AXES: Variant = Variant::new("axes");

/// The most steps from the estimated first output of an element to the true one. The estimate is off by the rounding
/// of a few operations on numbers below 2^24.
const SEARCH: u64 = 16;

/// The largest size along a dimension. Positions are f32, which counts to 2^24.
const LONGEST: usize = 1 << 24;

/// Height and width of an output.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Resize {
    /// The output's size.
    Size([usize; 2]),
    /// Factors of the input's size; the product is rounded down. Positions step by exactly the factors' inverse,
    /// unless corners are aligned.
    ScaleFactor([f64; 2]),
}

/// How an output is computed from input elements.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Interpolation {
    /// The element at floor(output index * input size / output size).
    Nearest,
    /// The four elements around its position, weighted by how near each is.
    Bilinear {
        /// Whether the first and last elements of input and output have the same positions. Otherwise elements are
        /// squares, and the input's and the output's squares cover the same area.
        align_corners: bool,
    },
}

/// A way of resampling.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Upsample {
    /// The output's size.
    pub resize: Resize,
    /// How outputs are computed.
    pub interpolation: Interpolation,
}

impl Upsample {
    /// Height and width of the output for an input of this height and width.
    ///
    /// # Errors
    /// Sizes of zero or above 2^24; factors that are not above 0.
    pub fn output_size(&self, input: [usize; 2]) -> Result<[usize; 2], String> {
        let output = match self.resize {
            Resize::Size(size) => size,
            Resize::ScaleFactor(factors) => {
                if !factors.iter().all(|factor| *factor > 0.0 && factor.is_finite()) {
                    return Err(format!("scale_factor must be above 0, found {factors:?}"));
                }
                [0, 1].map(|d| (input[d] as f64 * factors[d]).floor() as usize)
            }
        };
        let [[h, w], [oh, ow]] = [input, output];
        if output.contains(&0) {
            return Err(format!(
                "Input and output sizes should be greater than 0, but got input (H: {h}, W: {w}) output (H: {oh}, W: {ow})"
            ));
        }
        if input.iter().chain(&output).any(|&size| size > LONGEST) {
            return Err(format!("sizes of up to {LONGEST} are possible, found ({h}, {w}) to ({oh}, {ow})"));
        }
        Ok(output)
    }

    /// The step in the input from one output to the next along dimension `d`, rounded where PyTorch rounds.
    pub fn step(&self, d: usize, input: usize, output: usize) -> f32 {
        match (self.interpolation, self.resize) {
            // An unchanged size has step one, whatever the factor is.
            (Interpolation::Bilinear { .. }, _) if input == output => 1.0,
            (Interpolation::Bilinear { align_corners: true }, _) => {
                if output > 1 {
                    (input - 1) as f32 / (output - 1) as f32
                } else {
                    0.0
                }
            }
            (_, Resize::ScaleFactor(factors)) => (1.0 / factors[d]) as f32,
            (_, Resize::Size(_)) => input as f32 / output as f32,
        }
    }

    fn output_shape(&self, input: &Shape) -> Result<Shape, String> {
        let [h, w] = self.output_size([input[2], input[3]])?;
        Ok(Shape::from([input[0], input[1], h, w]))
    }

    /// The most outputs along dimension `d` to which one input element contributes.
    fn reach(&self, d: usize, input: usize, output: usize) -> usize {
        let step = f64::from(self.step(d, input, output));
        let elements = if self.interpolation == Interpolation::Nearest { 1.0 } else { 2.0 };
        // Rounding may add one at either end. With a step of zero all outputs read the first element.
        ((elements / step).ceil() + 2.0).min(output as f64) as usize
    }

    /// Loop iterations of the gradient's kernel for one element.
    fn grad_iterations(&self, input: &Shape) -> u64 {
        let output = self.output_shape(input).expect("the shape rule has passed");
        let [rows, columns] = [2, 3].map(|d| self.reach(d - 2, input[d], output[d]) as u64);
        rows.saturating_mul(1 + columns).saturating_add(4 * SEARCH)
    }

    /// The file that says which elements an output is made of.
    fn file(&self) -> &'static ShaderFile {
        match self.interpolation {
            Interpolation::Nearest => &shader::parts::upsample2d_at_nearest,
            Interpolation::Bilinear { .. } => &shader::parts::upsample2d_at_bilinear,
        }
    }

    /// Sizes a kernel over the planes of these shapes.
    fn planes(&self, cx: &LowerContext<'_>, kernel: Kernel, input: &Shape, output: &Shape) -> Result<Kernel> {
        let [from, to] = [input, output].map(|shape| [shape[2], shape[3]]);
        self.sized(cx, kernel, from, to, [0, 1].map(|d| self.step(d, from[d], to[d])))
    }

    /// Sizes a kernel over planes of these sizes with these steps.
    fn sized(
        &self,
        cx: &LowerContext<'_>,
        kernel: Kernel,
        input: [usize; 2],
        output: [usize; 2],
        steps: [f32; 2],
    ) -> Result<Kernel> {
        let kernel = kernel
            .with("IN_H", cx.index(input[0])? as i32)
            .with("IN_W", cx.index(input[1])? as i32)
            .with("OUT_H", cx.index(output[0])? as i32)
            .with("OUT_W", cx.index(output[1])? as i32)
            .with("SCALE_H", steps[0])
            .with("SCALE_W", steps[1]);
        Ok(match self.interpolation {
            Interpolation::Nearest => kernel,
            Interpolation::Bilinear { align_corners } => kernel.with("ALIGN_CORNERS", align_corners),
        })
    }
}

/// An input of another height and width. Inputs: x (N, C, H, W). Outputs: y.
#[derive(Clone, Debug, PartialEq)]
pub struct Upsample2d(pub Upsample);

impl Operator for Upsample2d {
    fn name(&self) -> &'static str {
        match self.0.interpolation {
            Interpolation::Nearest => "upsample_nearest2d",
            Interpolation::Bilinear { .. } => "upsample_bilinear2d",
        }
    }

    fn arity(&self) -> (usize, usize) {
        (1, 1)
    }

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        checks::images(inputs[0])?;
        Ok(vec![TensorType::f32(self.0.output_shape(&inputs[0].shape)?)])
    }

    fn backward(&self, cx: &mut BackwardContext<'_>) -> Result<()> {
        let gradient = cx.output_gradient(0)?;
        let input = cx.shape(cx.input(0));
        let gradient = cx.apply1(Upsample2dGrad { upsample: self.0, input }, &[gradient])?;
        cx.set(0, gradient);
        Ok(())
    }

    fn has_epilogue(&self) -> bool {
        true
    }

    fn lower(&self, cx: &mut LowerContext<'_>) -> Result<()> {
        let (input, output) = (&cx.input_type(0).shape, &cx.output_type(0).shape);
        let outputs = output.elements();
        let made = match self.0.interpolation {
            Interpolation::Nearest => &shader::parts::upsample2d_nearest,
            Interpolation::Bilinear { .. } => &shader::parts::upsample2d_bilinear,
        };
        let (kernel, groups) = cx.made_by(made, outputs, 1)?;
        let kernel = self.0.planes(cx, kernel, input, output)?;
        let operands = [cx.input(0), cx.output(0)];
        cx.dispatch_epilogue(kernel, &operands, groups, 1);
        Ok(())
    }

    fn flops(&self, inputs: &[&TensorType]) -> u64 {
        flops(&self.0, &inputs[0].shape)
    }
}

/// The gradient of [`Upsample2d`]. Inputs: the output's gradient. Output: the gradient of x.
#[derive(Clone, Debug, PartialEq)]
pub struct Upsample2dGrad {
    /// The way of resampling.
    pub upsample: Upsample,
    /// Shape of the forward input.
    pub input: Shape,
}

impl Operator for Upsample2dGrad {
    fn name(&self) -> &'static str {
        match self.upsample.interpolation {
            Interpolation::Nearest => "upsample_nearest2d_grad",
            Interpolation::Bilinear { .. } => "upsample_bilinear2d_grad",
        }
    }

    fn arity(&self) -> (usize, usize) {
        (1, 1)
    }

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        let ty = TensorType::f32(self.input.clone());
        checks::images(&ty)?;
        let output = TensorType::f32(self.upsample.output_shape(&self.input)?);
        if *inputs[0] != output {
            return Err(format!("expected the output's gradient as {output}, found {}", inputs[0]));
        }
        Ok(vec![ty])
    }

    fn has_epilogue(&self) -> bool {
        true
    }

    fn variants(&self, _inputs: &[&TensorType], _caps: &Caps) -> Vec<Variant> {
        let short = self.upsample.grad_iterations(&self.input) <= MAX_ITERATIONS;
        vec![if short { Variant::DEFAULT } else { AXES }]
    }

    fn lower(&self, cx: &mut LowerContext<'_>) -> Result<()> {
        if cx.variant() == AXES {
            // The weights are products of one per dimension, so rows are summed first and then columns.
            let rows =
                cx.temporary(self.input[0] * self.input[1] * cx.input_type(0).shape[2] * self.input[3]);
            self.lower_axis(cx, 1, cx.input(0), Some(rows.clone()))?;
            return self.lower_axis(cx, 0, rows, None);
        }
        let elements = self.input.elements();
        let (kernel, groups) = cx.made_by(&shader::parts::upsample2d_grad, elements, 1)?;
        let kernel = kernel.fill(self.upsample.file());
        let kernel = self.upsample.planes(cx, kernel, &self.input, &cx.input_type(0).shape)?;
        let operands = [cx.input(0), cx.output(0)];
        let kernel = kernel.iterations(self.upsample.grad_iterations(&self.input));
        cx.dispatch_epilogue(kernel, &operands, groups, 1);
        Ok(())
    }

    fn serial_terms(&self, _inputs: &[&TensorType], variant: Variant) -> u64 {
        let output = self.upsample.output_shape(&self.input).expect("the shape rule has passed");
        let [rows, columns] = [2, 3].map(|d| self.upsample.reach(d - 2, self.input[d], output[d]));
        if variant == AXES {
            serial::stretched(rows) + serial::stretched(columns)
        } else {
            (rows + columns) as u64
        }
    }

    fn flops(&self, _inputs: &[&TensorType]) -> u64 {
        flops(&self.upsample, &self.input)
    }
}

impl Upsample2dGrad {
    /// Records the sums along spatial dimension `d`, in parts if they are long. `None` is the first output.
    fn lower_axis(
        &self,
        cx: &mut LowerContext<'_>,
        d: usize,
        from: Operand,
        to: Option<Operand>,
    ) -> Result<()> {
        let output = cx.input_type(0).shape.clone();
        let (size, outputs) = (self.input[2 + d], output[2 + d]);
        let (outer, inner) = if d == 1 { (output[2], 1) } else { (1, self.input[3]) };
        let elements = self.input[0] * self.input[1] * outer * size * inner;
        let parts = Parts::new(elements, self.upsample.reach(d, size, outputs), 0);
        let memory = scratch(cx, elements, parts.count, 1)?;
        let step = self.upsample.step(d, size, outputs);
        let (kernel, groups) = cx.made_by(&shader::parts::upsample2d_grad_axis, elements * parts.count, 1)?;
        let kernel = self
            .upsample
            .sized(cx, kernel.fill(self.upsample.file()), [size; 2], [outputs; 2], [step; 2])?
            .with("RESULTS", cx.index(elements)?)
            .with("PARTS", cx.index(parts.count)?)
            .with("INNER", cx.index(inner)?)
            .iterations(parts.iterations + 2 * SEARCH);
        cx.dispatch_without_epilogue(kernel, &[from, memory.clone()], groups, 1);
        let finalize = &parts::plain;
        parts::sum(cx, memory, parts.count, &Sum { elements, width: 1, result: to, finalize, beside: None })
    }
}

/// Eight operations per output that is made of four elements.
fn flops(upsample: &Upsample, input: &Shape) -> u64 {
    let each = if upsample.interpolation == Interpolation::Nearest { 0 } else { 8 };
    upsample.output_shape(input).map_or(0, |output| each * output.elements() as u64)
}

impl Graph {
    /// Resizes `x` (N, C, H, W) to another height and width. Each output is the input element at floor(index * input
    /// size / output size) along either dimension, computed in f32 as in PyTorch.
    ///
    /// # Errors
    /// Another rank or type; an output of zero size or of more than 2^24 along a dimension; a factor that is
    /// not above 0.
    pub fn upsample_nearest2d(&mut self, x: Value, resize: Resize) -> Result<Value> {
        let upsample = Upsample { resize, interpolation: Interpolation::Nearest };
        self.apply1(Upsample2d(upsample), &[x])
    }

    /// Resizes `x` (N, C, H, W) to another height and width. Each output is the mean of the four input elements
    /// around it, weighted by how near they are. Output i of a dimension lies at
    /// `i (input size - 1) / (output size - 1)` with `align_corners`, and otherwise at
    /// `max((i + 1/2) input size / output size - 1/2, 0)`, as in PyTorch. With a factor, its inverse replaces
    /// `input size / output size`.
    ///
    /// # Errors
    /// As [`Graph::upsample_nearest2d`].
    pub fn upsample_bilinear2d(&mut self, x: Value, resize: Resize, align_corners: bool) -> Result<Value> {
        let upsample = Upsample { resize, interpolation: Interpolation::Bilinear { align_corners } };
        self.apply1(Upsample2d(upsample), &[x])
    }
}
