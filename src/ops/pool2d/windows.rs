//! The windows of a pooling: attributes, the output's size, and the kernels' constants.

use super::parts::nested;
use crate::error::Result;
use crate::op::{LowerContext, Variant};
use crate::ops::serial;
use crate::shader::{Kernel, parts};
use crate::tensor::Shape;

/// The longest dimension. Kernels compute positions in i32.
const LONGEST: usize = i32::MAX as usize / 8;

/// Windows of a pooling operator, height before width, with PyTorch's names and defaults.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Pool2d {
    /// Size of a window.
    pub kernel: [usize; 2],
    /// Step from one window to the next.
    pub stride: [usize; 2],
    /// Padding on both sides, at most half the kernel. Max pooling never chooses it; average pooling counts it as
    /// zeros.
    pub padding: [usize; 2],
    /// Step from one tap of a window to the next. Max pooling only.
    pub dilation: [usize; 2],
    /// Whether a last window that reaches past the padding is kept; it must start inside the input
    /// or the padding before it.
    pub ceil_mode: bool,
    /// Whether padding counts in an average's divisor. Average pooling only.
    pub count_include_pad: bool,
    /// Divisor of an average's sum, instead of the number of taps. Plain average pooling only.
    pub divisor_override: Option<usize>,
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
            divisor_override: None,
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

    /// Sets the divisor of an average's sum.
    #[must_use]
    pub fn divisor_override(mut self, divisor: usize) -> Self {
        self.divisor_override = Some(divisor);
        self
    }

    /// Height and width of the output for an input of this height and width.
    ///
    /// # Errors
    /// Sizes of zero, padding over half the kernel, a kernel that does not fit the padded input, a
    /// window without a single tap in the input.
    pub fn output_size(&self, input: [usize; 2]) -> Result<[usize; 2], String> {
        if self.kernel[0].saturating_mul(self.kernel[1]) > LONGEST {
            return Err(format!("a kernel of {:?} is out of range", self.kernel));
        }
        Ok([self.output_length(0, input[0])?, self.output_length(1, input[1])?])
    }

    fn output_length(&self, d: usize, input: usize) -> Result<usize, String> {
        let along = ["height", "width"][d];
        let (kernel, stride) = (self.kernel[d], self.stride[d]);
        let (padding, dilation) = (self.padding[d], self.dilation[d]);
        for (what, size) in [("kernel size", kernel), ("stride", stride), ("dilation", dilation)] {
            if size == 0 {
                return Err(format!("{what} should be greater than zero, but got 0 along the {along}"));
            }
        }
        if padding > kernel / 2 {
            return Err(format!(
                "pad should be smaller than or equal to half of kernel size, but got pad={padding}, kernel_size={kernel} along the {along}"
            ));
        }
        let reach = (kernel - 1).checked_mul(dilation).and_then(|reach| reach.checked_add(1));
        let fits = |size: usize| size <= LONGEST;
        let Some(reach) = reach.filter(|&reach| fits(reach) && fits(stride) && fits(dilation) && fits(input))
        else {
            return Err(format!(
                "kernel {kernel}, stride {stride} or dilation {dilation} along the {along} is out of range"
            ));
        };
        let padded = input + 2 * padding + if self.ceil_mode { stride - 1 } else { 0 };
        if padded < reach {
            return Err(format!(
                "output size is too small: the kernel reaches over {reach} along the {along}, the padded input has {}",
                input + 2 * padding
            ));
        }
        let mut output = (padded - reach) / stride + 1;
        if self.ceil_mode && (output - 1) * stride >= input + padding {
            output -= 1;
        }
        // A window that starts in the padding may step over the whole input if its dilation is larger than the input.
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

    /// Whether every tap of every window lies in the input.
    pub(super) fn inside(&self, input: [usize; 2], output: [usize; 2]) -> bool {
        (0..2).all(|d| {
            let reach = (self.kernel[d] - 1) * self.dilation[d] + 1;
            self.padding[d] == 0 && (output[d] - 1) * self.stride[d] + reach <= input[d]
        })
    }

    /// Whether windows are two by two and tile the input exactly.
    pub(crate) fn tiles_by_two(&self, input: [usize; 2]) -> bool {
        let pair = [2, 2];
        self.kernel == pair
            && self.stride == pair
            && self.padding == [0, 0]
            && self.dilation == [1, 1]
            && input.iter().all(|size| size % 2 == 0)
    }

    /// Whether a single window covers the whole plane.
    pub(super) fn is_global(&self, input: [usize; 2]) -> bool {
        self.padding == [0, 0] && self.kernel == input
    }

    /// Fails for attributes that the operator does not take.
    pub(super) fn check(&self, operator: &str, takes: Takes) -> Result<(), String> {
        if !takes.dilation && self.dilation != [1, 1] {
            return Err(format!("{operator} has no dilation, found {:?}", self.dilation));
        }
        if !takes.padding && self.padding != [0, 0] {
            return Err(format!("{operator} has no padding, found {:?}", self.padding));
        }
        match self.divisor_override {
            Some(divisor) if !takes.divisor => {
                Err(format!("{operator} has no divisor_override, found {divisor}"))
            }
            Some(0) => Err("divisor must be not zero".into()),
            _ => Ok(()),
        }
    }
}

/// Attributes of [`Pool2d`] that an operator takes in addition to kernel, stride and ceil mode.
#[derive(Clone, Copy)]
pub(super) struct Takes {
    pub padding: bool,
    pub dilation: bool,
    pub divisor: bool,
}

/// The layout of windows over a plane.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Windows {
    /// Windows of one size, a stride apart.
    Sliding(Pool2d),
    /// One window per element of an output of this height and width. Along a dimension of some `size`, window i of n
    /// takes floor(i size / n) up to and excluding ceil((i + 1) size / n).
    Adaptive([usize; 2]),
}

impl From<Pool2d> for Windows {
    fn from(pool: Pool2d) -> Self {
        Windows::Sliding(pool)
    }
}

impl Windows {
    /// Windows that give an output of this size. If all are equal they are sliding ones, which more kernels can
    /// compute.
    pub(super) fn adaptive(input: &[usize], output: [usize; 2]) -> Windows {
        match *input {
            [_, _, h, w] if output.iter().zip([h, w]).all(|(&n, size)| n > 0 && size % n == 0) => {
                Pool2d::new([h / output[0], w / output[1]]).into()
            }
            _ => Windows::Adaptive(output),
        }
    }

    /// Height and width of the output for an input of this height and width.
    ///
    /// # Errors
    /// As [`Pool2d::output_size`]; no adaptive windows, or too many.
    pub fn output_size(&self, input: [usize; 2]) -> Result<[usize; 2], String> {
        let output = match self {
            Windows::Sliding(pool) => return pool.output_size(input),
            Windows::Adaptive(output) => *output,
        };
        for (along, n, size) in [("height", output[0], input[0]), ("width", output[1], input[1])] {
            if n == 0 {
                return Err(format!("output_size along the {along} must be at least 1, found 0"));
            }
            // Kernels compute the ends of windows from products of the two.
            if n.saturating_add(1).saturating_mul(size.saturating_add(1)) > LONGEST {
                return Err(format!(
                    "output_size {n} along the {along} is out of range for an input of {size}"
                ));
            }
        }
        Ok(output)
    }

    pub(super) fn output_shape(&self, input: &Shape) -> Result<Shape, String> {
        let [h, w] = self.output_size([input[2], input[3]])?;
        Ok(Shape::from([input[0], input[1], h, w]))
    }

    /// Taps of the largest window along each dimension.
    pub(crate) fn kernel(&self, input: [usize; 2]) -> [usize; 2] {
        match self {
            Windows::Sliding(pool) => pool.kernel,
            Windows::Adaptive(output) => [0, 1].map(|d| longest_share(input[d], output[d])),
        }
    }

    /// Windows that can cover one input element along each dimension.
    pub(super) fn covers(&self, input: [usize; 2]) -> [usize; 2] {
        match self {
            Windows::Sliding(pool) => {
                [0, 1].map(|d| ((pool.kernel[d] - 1) * pool.dilation[d] + 1).div_ceil(pool.stride[d]))
            }
            Windows::Adaptive(output) => [0, 1].map(|d| longest_share(output[d], input[d])),
        }
    }

    /// Windows along each dimension that have to be checked for one element: those that can cover it, one for each
    /// tap that it may be, or all, whichever is fewest.
    pub(super) fn candidates(&self, input: [usize; 2]) -> [usize; 2] {
        let (covers, kernel) = (self.covers(input), self.kernel(input));
        let output = self.output_size(input).expect("the shape rule has passed");
        [0, 1].map(|d| covers[d].min(kernel[d]).min(output[d]))
    }

    /// Loop iterations over the taps of one window; each tap takes `each` more.
    pub(super) fn tap_iterations(&self, input: &Shape, each: u64) -> u64 {
        nested(self.kernel([input[2], input[3]]), each)
    }

    /// Loop iterations over the windows that can cover one element; each window takes `each` more.
    pub(super) fn cover_iterations(&self, input: &Shape, each: u64) -> u64 {
        nested(self.covers([input[2], input[3]]), each)
    }

    /// Terms that a variant adds one after the other in a sum over this many rows and columns.
    pub(super) fn serial_terms(&self, [rows, columns]: [usize; 2], variant: Variant) -> u64 {
        let terms = rows.saturating_mul(columns);
        if variant == Variant::DEFAULT { serial::shared(terms, 1) } else { serial::stretched(terms) }
    }

    /// Winning taps that share a four-byte word.
    pub(crate) fn taps_per_word(&self, input: [usize; 2]) -> usize {
        let [h, w] = self.kernel(input);
        if h.saturating_mul(w) <= 256 { 4 } else { 1 }
    }

    /// Fills the hole `windows` of a kernel over windows of an input of this shape.
    pub(super) fn fill(&self, cx: &LowerContext<'_>, kernel: Kernel, input: &Shape) -> Result<Kernel> {
        let size = [input[2], input[3]];
        let output = self.output_size(size).expect("the shape rule has passed");
        let mut kernel = kernel.fill(match self {
            Windows::Sliding(_) => &parts::pool2d_sliding,
            Windows::Adaptive(_) => &parts::pool2d_adaptive,
        });
        let mut set = |names: [&'static str; 2], sizes: [usize; 2]| -> Result<()> {
            for (name, size) in names.into_iter().zip(sizes) {
                kernel = kernel.clone().with(name, cx.index(size)? as i32);
            }
            Ok(())
        };
        set(["IN_H", "IN_W"], size)?;
        set(["OUT_H", "OUT_W"], output)?;
        set(["KERNEL_H", "KERNEL_W"], self.kernel(size))?;
        set(["COVERS_H", "COVERS_W"], self.covers(size))?;
        let Windows::Sliding(pool) = self else { return Ok(kernel) };
        set(["STRIDE_H", "STRIDE_W"], pool.stride)?;
        set(["PADDING_H", "PADDING_W"], pool.padding)?;
        set(["DILATION_H", "DILATION_W"], pool.dilation)?;
        Ok(kernel.with("INSIDE", pool.inside(size, output)))
    }

    /// One operation for each tap of each window.
    pub(super) fn flops(&self, input: &Shape) -> u64 {
        let outputs = self.output_shape(input).map_or(0, |shape| shape.elements() as u64);
        let [h, w] = self.kernel([input[2], input[3]]);
        outputs.saturating_mul(h as u64).saturating_mul(w as u64)
    }
}

/// The most elements of one of `windows` adaptive windows over `size`. If they don't divide it, both ends may be
/// rounded outwards.
fn longest_share(size: usize, windows: usize) -> usize {
    if size.is_multiple_of(windows) { size / windows } else { size / windows + 2 }
}
