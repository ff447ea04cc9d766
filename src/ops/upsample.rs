//! Resampling of the two spatial dimensions of (N, C, H, W), by nearest element or bilinear, up or down, and
//! its gradients. Sizes and positions are PyTorch's. The backward gathers: an input element finds the
//! outputs that it is in by turning the rule of positions round.

use super::Operator;
use crate::error::Result;
use crate::graph::{Backward, Graph, Value};
use crate::plan::Lower;
use crate::reference::{Array, upsample as reference};
use crate::shader::{Kernel, ShaderFile};
use crate::shader_file;
use crate::tensor::{DType, Shape, TensorType};

static GROUP: ShaderFile = shader_file!("shared/group");
static SHAPE: ShaderFile = shader_file!("shared/upsample2d_shape");
static AT_NEAREST: ShaderFile = shader_file!("shared/upsample2d_nearest");
static AT_BILINEAR: ShaderFile = shader_file!("shared/upsample2d_bilinear");
static NEAREST: ShaderFile = shader_file!("upsample2d_nearest");
static BILINEAR: ShaderFile = shader_file!("upsample2d_bilinear");
static GRAD: ShaderFile = shader_file!("upsample2d_grad");

/// Invocations of a workgroup.
const LANES: usize = 64;

/// The largest size along a dimension: positions are f32, which counts no further.
const LONGEST: usize = 1 << 24;

/// Height and width of an output.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Resize {
    /// The output's own.
    Size([usize; 2]),
    /// By what the input's are multiplied, rounded down. Positions step by exactly the factors' inverse,
    /// unless corners are aligned.
    ScaleFactor([f64; 2]),
}

/// What an output is made of.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Interpolation {
    /// The element at floor(output index * input size / output size).
    Nearest,
    /// The four elements around its position, by how near each is.
    Bilinear {
        /// Whether the first and last elements of input and output lie on each other. Otherwise elements
        /// are squares of which the input's and the output's cover the same area.
        align_corners: bool,
    },
}

/// A way of resampling.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Upsample {
    /// The output's size.
    pub resize: Resize,
    /// What it is made of.
    pub interpolation: Interpolation,
}

impl Upsample {
    /// Height and width of the output for an input of this height and width.
    ///
    /// # Errors
    /// Sizes of zero or past what f32 counts; factors that are not above 0.
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

    fn joined(
        &self,
        cx: &Lower<'_>,
        main: &'static ShaderFile,
        input: &Shape,
        output: &Shape,
    ) -> Result<Kernel> {
        let at = if self.interpolation == Interpolation::Nearest { &AT_NEAREST } else { &AT_BILINEAR };
        let kernel = Kernel::new(&[&GROUP, &SHAPE, at, main])
            .with("IN_H", cx.index(input[2])? as i32)
            .with("IN_W", cx.index(input[3])? as i32)
            .with("OUT_H", cx.index(output[2])? as i32)
            .with("OUT_W", cx.index(output[3])? as i32)
            .with("SCALE_H", self.step(0, input[2], output[2]))
            .with("SCALE_W", self.step(1, input[3], output[3]));
        Ok(match self.interpolation {
            Interpolation::Nearest => kernel,
            Interpolation::Bilinear { align_corners } => kernel.with("ALIGN_CORNERS", align_corners),
        })
    }
}

fn check_images(kind: &TensorType) -> Result<(), String> {
    if kind.dtype == DType::F32 && kind.shape.len() == 4 {
        return Ok(());
    }
    Err(format!("expected f32 of shape (N, C, H, W), found {kind}"))
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
        check_images(inputs[0])?;
        Ok(vec![TensorType::f32(self.0.output_shape(&inputs[0].shape)?)])
    }

    fn backward(&self, cx: &mut Backward<'_>) -> Result<()> {
        let gradient = cx.output_gradient(0)?;
        let input = cx.shape(cx.input(0));
        let gradient = cx.apply1(Upsample2dGrad { upsample: self.0, input }, &[gradient])?;
        cx.set(0, gradient);
        Ok(())
    }

    fn finishes(&self) -> bool {
        true
    }

    fn lower(&self, cx: &mut Lower<'_>) -> Result<()> {
        let (input, output) = (&cx.input_type(0).shape, &cx.output_type(0).shape);
        let outputs = output.elements();
        let main = if self.0.interpolation == Interpolation::Nearest { &NEAREST } else { &BILINEAR };
        let kernel = self.0.joined(cx, main, input, output)?.with("OUTPUTS", cx.index(outputs)?);
        let operands = [cx.input(0), cx.output(0)];
        cx.dispatch_finished(kernel, &operands, outputs.div_ceil(LANES), 1);
        Ok(())
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        vec![reference::upsample2d(inputs[0], &self.0)]
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
        let kind = TensorType::f32(self.input.clone());
        check_images(&kind)?;
        let output = TensorType::f32(self.upsample.output_shape(&self.input)?);
        if *inputs[0] != output {
            return Err(format!("expected the output's gradient as {output}, found {}", inputs[0]));
        }
        Ok(vec![kind])
    }

    fn finishes(&self) -> bool {
        true
    }

    fn lower(&self, cx: &mut Lower<'_>) -> Result<()> {
        let elements = self.input.elements();
        let kernel = self.upsample.joined(cx, &GRAD, &self.input, &cx.input_type(0).shape)?;
        let operands = [cx.input(0), cx.output(0)];
        let kernel = kernel.with("ELEMENTS", cx.index(elements)?);
        cx.dispatch_finished(kernel, &operands, elements.div_ceil(LANES), 1);
        Ok(())
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        vec![reference::upsample2d_grad(inputs[0], &self.upsample, &self.input)]
    }

    fn largest_sum_of_terms(&self, _output: usize, inputs: &[&Array]) -> Option<f64> {
        let terms = reference::upsample2d_grad(&inputs[0].map(f64::abs), &self.upsample, &self.input);
        Some(terms.largest())
    }

    fn flops(&self, _inputs: &[&TensorType]) -> u64 {
        flops(&self.upsample, &self.input)
    }
}

/// Eight operations an output where it is made of four elements.
fn flops(upsample: &Upsample, input: &Shape) -> u64 {
    let each = if upsample.interpolation == Interpolation::Nearest { 0 } else { 8 };
    upsample.output_shape(input).map_or(0, |output| each * output.elements() as u64)
}

impl Graph {
    /// `x` (N, C, H, W) at another height and width, each output the input element at floor(its index *
    /// input size / output size) along either dimension, computed in f32 as PyTorch does.
    ///
    /// # Errors
    /// Another rank or type; an output of zero size or of more than 2^24 along a dimension; a factor that is
    /// not above 0.
    pub fn upsample_nearest2d(&mut self, x: Value, resize: Resize) -> Result<Value> {
        let upsample = Upsample { resize, interpolation: Interpolation::Nearest };
        self.apply1(Upsample2d(upsample), &[x])
    }

    /// `x` (N, C, H, W) at another height and width, each output the mean of the four input elements
    /// around it by how near they are. Output i of a dimension lies at i (input size - 1) / (output size - 1)
    /// with `align_corners`, and at max((i + 1/2) input size / output size - 1/2, 0) without, as in PyTorch;
    /// a factor's inverse takes the place of input size / output size.
    ///
    /// # Errors
    /// As [`Graph::upsample_nearest2d`].
    pub fn upsample_bilinear2d(&mut self, x: Value, resize: Resize, align_corners: bool) -> Result<Value> {
        let upsample = Upsample { resize, interpolation: Interpolation::Bilinear { align_corners } };
        self.apply1(Upsample2d(upsample), &[x])
    }
}
