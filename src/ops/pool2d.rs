//! Max and average pooling over the two spatial dimensions of (N, C, H, W), and their gradients.
//!
//! Sizes, defaults and the tie rule (the first of equals, row by row) are PyTorch's. The max
//! forward keeps which tap of each window won, eight bits each, so that the backward reads no
//! input and compares nothing. Both backward kernels gather: each input element adds up the
//! windows that cover it, in a fixed order.

mod average;

pub use average::{AvgPool2d, AvgPool2dGrad};

use super::Operator;
use crate::error::Result;
use crate::graph::{Backward, Graph, Value};
use crate::plan::{Caps, Lower};
use crate::reference::{Array, pool2d as reference};
use crate::shader::{Kernel, ShaderFile};
use crate::shader_file;
use crate::tensor::{DType, Shape, TensorType};

static GROUP: ShaderFile = shader_file!("shared/group");
static MAX: ShaderFile = shader_file!("max_pool2d");
static MAX_2X2: ShaderFile = shader_file!("max_pool2d_2x2");
static MAX_2X2_ODD: ShaderFile = shader_file!("max_pool2d_2x2_odd");
static MAX_GRAD: ShaderFile = shader_file!("max_pool2d_grad");
static MAX_GRAD_2X2: ShaderFile = shader_file!("max_pool2d_grad_2x2");
static MAX_GRAD_2X2_ODD: ShaderFile = shader_file!("max_pool2d_grad_2x2_odd");

/// Windows of a pooling operator, height before width, with PyTorch's names and defaults.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Pool2d {
    /// Size of a window.
    pub kernel: [usize; 2],
    /// Step from one window to the next.
    pub stride: [usize; 2],
    /// Padding on both sides, at most half the kernel. Max pooling never takes it, average
    /// pooling counts it as zeros.
    pub padding: [usize; 2],
    /// Step from one tap of a window to the next. Max pooling only.
    pub dilation: [usize; 2],
    /// Whether a last window that reaches past the padding is kept; it must start inside the input
    /// or the padding before it.
    pub ceil_mode: bool,
    /// Whether padding counts in an average's divisor. Average pooling only.
    pub count_include_pad: bool,
}

impl Pool2d {
    /// Windows of this size, side by side: the stride is the kernel, nothing is padded.
    pub fn new(kernel: [usize; 2]) -> Self {
        Pool2d {
            kernel,
            stride: kernel,
            padding: [0; 2],
            dilation: [1; 2],
            ceil_mode: false,
            count_include_pad: true,
        }
    }

    /// Sets the step from one window to the next.
    #[must_use]
    pub fn stride(mut self, stride: [usize; 2]) -> Self {
        self.stride = stride;
        self
    }

    /// Sets the padding on both sides.
    #[must_use]
    pub fn padding(mut self, padding: [usize; 2]) -> Self {
        self.padding = padding;
        self
    }

    /// Sets the step from one tap of a window to the next.
    #[must_use]
    pub fn dilation(mut self, dilation: [usize; 2]) -> Self {
        self.dilation = dilation;
        self
    }

    /// Sets whether a last window that reaches past the padding is kept.
    #[must_use]
    pub fn ceil_mode(mut self, ceil_mode: bool) -> Self {
        self.ceil_mode = ceil_mode;
        self
    }

    /// Sets whether padding counts in an average's divisor.
    #[must_use]
    pub fn count_include_pad(mut self, count_include_pad: bool) -> Self {
        self.count_include_pad = count_include_pad;
        self
    }

    /// Height and width of the output for an input of this height and width.
    ///
    /// # Errors
    /// Sizes of zero, padding over half the kernel, a kernel that does not fit the padded input, a
    /// window without a single tap in the input.
    pub fn output_size(&self, input: [usize; 2]) -> Result<[usize; 2], String> {
        Ok([self.output_length(0, input[0])?, self.output_length(1, input[1])?])
    }

    fn output_length(&self, d: usize, input: usize) -> Result<usize, String> {
        let along = ["height", "width"][d];
        let (kernel, stride) = (self.kernel[d], self.stride[d]);
        let (padding, dilation) = (self.padding[d], self.dilation[d]);
        for (what, size) in [("kernel", kernel), ("stride", stride), ("dilation", dilation)] {
            if size == 0 {
                return Err(format!("{what} along the {along} must be at least 1, found 0"));
            }
        }
        if padding > kernel / 2 {
            return Err(format!(
                "padding along the {along} must be at most half the kernel of {kernel}, found {padding}"
            ));
        }
        // Kernels compute positions in i32; past that nothing sensible is left anyway.
        let reach = (kernel - 1).checked_mul(dilation).and_then(|reach| reach.checked_add(1));
        let fits = |size: usize| size <= i32::MAX as usize / 8;
        let Some(reach) = reach.filter(|&reach| fits(reach) && fits(stride) && fits(dilation) && fits(input))
        else {
            return Err(format!(
                "kernel {kernel}, stride {stride} or dilation {dilation} along the {along} is out of range"
            ));
        };
        let padded = input + 2 * padding + if self.ceil_mode { stride - 1 } else { 0 };
        if padded < reach {
            return Err(format!(
                "kernel reaches over {reach} along the {along}, the padded input has {}",
                input + 2 * padding
            ));
        }
        let mut output = (padded - reach) / stride + 1;
        if self.ceil_mode && (output - 1) * stride >= input + padding {
            output -= 1;
        }
        // A window that starts in the padding steps over the whole input where it is dilated
        // further than the input is long.
        for start in (0..output).map(|o| o * stride).take_while(|&start| start < padding) {
            let first = (padding - start).next_multiple_of(dilation) - (padding - start);
            if first >= input {
                return Err(format!(
                    "with dilation {dilation} along the {along} a window has no tap in the input of {input}"
                ));
            }
        }
        Ok(output)
    }

    /// Windows that can cover one input element along each dimension.
    fn windows(&self) -> [usize; 2] {
        [0, 1].map(|d| ((self.kernel[d] - 1) * self.dilation[d] + 1).div_ceil(self.stride[d]))
    }

    /// Whether every tap of every window lies in the input.
    fn inside(&self, input: [usize; 2], output: [usize; 2]) -> bool {
        (0..2).all(|d| {
            let reach = (self.kernel[d] - 1) * self.dilation[d] + 1;
            self.padding[d] == 0 && (output[d] - 1) * self.stride[d] + reach <= input[d]
        })
    }

    /// Winning taps that share a four-byte word.
    fn taps_per_word(&self) -> usize {
        if self.kernel[0].saturating_mul(self.kernel[1]) <= 256 { 4 } else { 1 }
    }

    /// Whether windows are two by two and tile the input without a rest.
    pub(crate) fn tiles_by_two(&self, input: [usize; 2]) -> bool {
        let pair = [2, 2];
        self.kernel == pair
            && self.stride == pair
            && self.padding == [0, 0]
            && self.dilation == [1, 1]
            && input.iter().all(|size| size % 2 == 0)
    }

    fn output_shape(&self, input: &Shape) -> Result<Shape, String> {
        let [h, w] = self.output_size([input[2], input[3]])?;
        Ok(Shape::from([input[0], input[1], h, w]))
    }

    fn undilated(&self) -> Result<(), String> {
        if self.dilation == [1, 1] {
            return Ok(());
        }
        Err(format!("average pooling has no dilation, found {:?}", self.dilation))
    }
}

fn check_images(kind: &TensorType) -> Result<(), String> {
    if kind.dtype == DType::F32 && kind.shape.len() == 4 {
        return Ok(());
    }
    Err(format!("expected f32 of shape (N, C, H, W), found {kind}"))
}

fn check_gradient(kind: &TensorType, expected: &Shape) -> Result<(), String> {
    if kind.dtype == DType::F32 && kind.shape == *expected {
        return Ok(());
    }
    Err(format!("expected the output's gradient as f32 {expected}, found {kind}"))
}

/// Sets the constants that all four general kernels have.
fn geometry(cx: &Lower<'_>, kernel: Kernel, pool: &Pool2d, input: &Shape, output: &Shape) -> Result<Kernel> {
    let signed = |size: usize| cx.index(size).map(|size| size as i32);
    Ok(kernel
        .with("IN_H", signed(input[2])?)
        .with("IN_W", signed(input[3])?)
        .with("OUT_H", signed(output[2])?)
        .with("OUT_W", signed(output[3])?)
        .with("KERNEL_H", signed(pool.kernel[0])?)
        .with("KERNEL_W", signed(pool.kernel[1])?)
        .with("STRIDE_H", signed(pool.stride[0])?)
        .with("STRIDE_W", signed(pool.stride[1])?)
        .with("PADDING_H", signed(pool.padding[0])?)
        .with("PADDING_W", signed(pool.padding[1])?))
}

/// The largest element of each window. Inputs: x (N, C, H, W). Outputs: y, and which tap won in
/// each window, as i32 words for [`MaxPool2dGrad`]: four taps a word, the first in the lowest byte,
/// or one a word where a window has over 256.
#[derive(Clone, Debug, PartialEq)]
pub struct MaxPool2d(pub Pool2d);

impl Operator for MaxPool2d {
    fn name(&self) -> &'static str {
        "max_pool2d"
    }

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        check_images(inputs[0])?;
        let output = self.0.output_shape(&inputs[0].shape)?;
        let words = output.elements().div_ceil(self.0.taps_per_word());
        Ok(vec![TensorType::f32(output), TensorType::i32([words])])
    }

    fn backward(&self, cx: &mut Backward<'_>) -> Result<()> {
        let gradient = cx.output_gradient(0)?;
        let input = cx.shape(cx.input(0));
        let operator = MaxPool2dGrad { pool: self.0, input };
        let gradient = cx.apply1(operator, &[gradient, cx.output(1)])?;
        cx.set(0, gradient);
        Ok(())
    }

    fn variants(&self, inputs: &[&TensorType], _caps: &Caps) -> Vec<&'static str> {
        variants(&self.0, &inputs[0].shape)
    }

    fn lower(&self, cx: &mut Lower<'_>) -> Result<()> {
        let (input, output) = (&cx.input_type(0).shape, &cx.output_type(0).shape);
        let outputs = output.elements();
        let words = outputs.div_ceil(self.0.taps_per_word());
        let kernel = if cx.variant() == "two_by_two" {
            let file = if output[3] % 2 == 0 { &MAX_2X2 } else { &MAX_2X2_ODD };
            Kernel::new(&[&GROUP, file]).with("WORDS", cx.index(words)?).with("OUT_W", cx.index(output[3])?)
        } else {
            let inside = self.0.inside([input[2], input[3]], [output[2], output[3]]);
            geometry(cx, Kernel::new(&[&GROUP, &MAX]), &self.0, input, output)?
                .with("OUTPUTS", cx.index(outputs)?)
                .with("TAPS_PER_WORD", self.0.taps_per_word() as u32)
                .with("DILATION_H", self.0.dilation[0] as i32)
                .with("DILATION_W", self.0.dilation[1] as i32)
                .with("INSIDE", inside)
        };
        let operands = [cx.input(0), cx.output(0), cx.output(1)];
        cx.dispatch(kernel, &operands, words.div_ceil(64));
        Ok(())
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let (output, taps) = reference::max_pool2d(inputs[0], &self.0);
        vec![output, reference::pack_taps(&taps, self.0.taps_per_word())]
    }

    fn flops(&self, inputs: &[&TensorType]) -> u64 {
        window_flops(&self.0, &inputs[0].shape)
    }
}

/// The gradient of [`MaxPool2d`]. Inputs: the output's gradient and the taps that won. Output: the
/// gradient of x.
#[derive(Clone, Debug, PartialEq)]
pub struct MaxPool2dGrad {
    /// The windows.
    pub pool: Pool2d,
    /// Shape of the forward input.
    pub input: Shape,
}

impl Operator for MaxPool2dGrad {
    fn name(&self) -> &'static str {
        "max_pool2d_grad"
    }

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        let kind = TensorType::f32(self.input.clone());
        check_images(&kind)?;
        let output = self.pool.output_shape(&self.input)?;
        check_gradient(inputs[0], &output)?;
        let taps = TensorType::i32([output.elements().div_ceil(self.pool.taps_per_word())]);
        if *inputs[1] != taps {
            return Err(format!("expected the winning taps as {taps}, found {}", inputs[1]));
        }
        Ok(vec![kind])
    }

    fn variants(&self, _inputs: &[&TensorType], _caps: &Caps) -> Vec<&'static str> {
        variants(&self.pool, &self.input)
    }

    fn lower(&self, cx: &mut Lower<'_>) -> Result<()> {
        let (input, output) = (&self.input, &cx.input_type(0).shape);
        let elements = input.elements();
        let (kernel, invocations) = if cx.variant() == "two_by_two" {
            let words = output.elements() / 4;
            let file = if output[3] % 2 == 0 { &MAX_GRAD_2X2 } else { &MAX_GRAD_2X2_ODD };
            let kernel = Kernel::new(&[&GROUP, file])
                .with("WORDS", cx.index(words)?)
                .with("OUT_W", cx.index(output[3])?);
            (kernel, words)
        } else {
            let [windows_h, windows_w] = self.pool.windows();
            let kernel = geometry(cx, Kernel::new(&[&GROUP, &MAX_GRAD]), &self.pool, input, output)?
                .with("ELEMENTS", cx.index(elements)?)
                .with("TAPS_PER_WORD", self.pool.taps_per_word() as u32)
                .with("DILATION_H", self.pool.dilation[0] as i32)
                .with("DILATION_W", self.pool.dilation[1] as i32)
                .with("WINDOWS_H", windows_h as i32)
                .with("WINDOWS_W", windows_w as i32);
            (kernel, elements)
        };
        let operands = [cx.input(0), cx.input(1), cx.output(0)];
        cx.dispatch(kernel, &operands, invocations.div_ceil(64));
        Ok(())
    }

    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let taps = reference::unpack_taps(inputs[1], inputs[0].data.len(), self.pool.taps_per_word());
        vec![reference::max_pool2d_grad(inputs[0], &taps, &self.pool, &self.input)]
    }

    fn flops(&self, inputs: &[&TensorType]) -> u64 {
        inputs[0].shape.elements() as u64
    }
}

/// Kernels that can pool this input: the one for two by two makes four outputs a time.
fn variants(pool: &Pool2d, input: &Shape) -> Vec<&'static str> {
    if pool.tiles_by_two([input[2], input[3]]) && input.elements().is_multiple_of(16) {
        vec!["two_by_two", "default"]
    } else {
        vec!["default"]
    }
}

fn window_flops(pool: &Pool2d, input: &Shape) -> u64 {
    let outputs = pool.output_shape(input).map_or(0, |shape| shape.elements() as u64);
    outputs * pool.kernel[0] as u64 * pool.kernel[1] as u64
}

impl Graph {
    /// The largest element of each window of `x` (N, C, H, W); of equals the first, row by row.
    ///
    /// # Errors
    /// Another rank or type; windows that do not fit, as [`Pool2d::output_size`].
    pub fn max_pool2d(&mut self, x: Value, pool: Pool2d) -> Result<Value> {
        Ok(self.apply(MaxPool2d(pool), &[x])?[0])
    }

    /// The mean of each window of `x` (N, C, H, W).
    ///
    /// # Errors
    /// Another rank or type; dilation; windows that do not fit, as [`Pool2d::output_size`].
    pub fn avg_pool2d(&mut self, x: Value, pool: Pool2d) -> Result<Value> {
        self.apply1(AvgPool2d(pool), &[x])
    }
}
