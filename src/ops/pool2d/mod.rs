//! Pooling over the two spatial dimensions of (N, C, H, W), and its gradients.
//!
//! Sizes, defaults and the tie rule of max pooling (the first of equals, row by row) are PyTorch's.
//! Every backward gathers: each input element adds up what the windows that cover it give to it, in a
//! fixed order, and is written once. Where windows lie is one file of WGSL, what is made of their taps
//! another, so that any kind of pooling runs over any kind of windows. What is too long for one invocation's
//! loops is made in parts (`parts`).

mod average;
mod lp;
mod max;
mod one_dimension;
mod parts;
mod unpool;
mod windows;

pub use average::{Average, AvgPool2d, AvgPool2dGrad, Weighting};
pub use lp::{LpPool2d, LpPool2dGrad, Norm};
pub use max::{MaxPool2d, MaxPool2dGrad};
pub use one_dimension::Pool1d;
pub use unpool::{MaxIndices, MaxUnpool2d, MaxUnpool2dGrad, Unpool};
pub use windows::{Pool2d, Windows};

use crate::error::Result;
use crate::graph::{Graph, Value};
use crate::op::occupancy::LANES;
use crate::op::{Operator, Variant};
use crate::tensor::{DType, Shape, TensorType};

const TWO_BY_TWO: Variant = Variant::new("two_by_two");
const TWO_BY_TWO_ROWS: Variant = Variant::new("two_by_two_rows");
const GLOBAL: Variant = Variant::new("global");
const GLOBAL_WIDE: Variant = Variant::new("global_wide");

/// Invocations that share a plane of this many packs: where there are many to keep busy, one for a few.
fn team(packs: usize, wide: bool) -> usize {
    if wide { packs.div_ceil(4).next_power_of_two().min(LANES) } else { 1 }
}

/// Height and width.
fn plane(shape: &Shape) -> [usize; 2] {
    [shape[2], shape[3]]
}

fn check_images(ty: &TensorType) -> Result<(), String> {
    if ty.dtype == DType::F32 && ty.shape.len() == 4 {
        return Ok(());
    }
    Err(format!("expected f32 of shape (N, C, H, W), found {ty}"))
}

fn check_gradient(ty: &TensorType, expected: &Shape) -> Result<(), String> {
    if ty.dtype == DType::F32 && ty.shape == *expected {
        return Ok(());
    }
    Err(format!("expected the output's gradient as f32 {expected}, found {ty}"))
}

impl Graph {
    /// The largest element of each window of `x` (N, C, H, W); of equals the first, row by row. NaN is larger than
    /// anything, and the last one gets the gradient, as in PyTorch.
    ///
    /// # Errors
    /// Another rank or type; windows that do not fit, as [`Pool2d::output_size`]; a divisor.
    pub fn max_pool2d(&mut self, x: Value, pool: Pool2d) -> Result<Value> {
        Ok(self.apply(MaxPool2d(pool.into()), &[x])?[0])
    }

    /// The mean of each window of `x` (N, C, H, W).
    ///
    /// # Errors
    /// Another rank or type; dilation; windows that do not fit, as [`Pool2d::output_size`]; a divisor of
    /// zero.
    pub fn avg_pool2d(&mut self, x: Value, pool: Pool2d) -> Result<Value> {
        self.average_pool2d(x, pool.into(), Weighting::Equal)
    }

    /// The mean of each window of `x` (N, C, H, W) by distance from the window's middle: sum of w x over sum
    /// of w with w = 1 / (1 + d), where d = sqrt((ky - (KH - 1) / 2)^2 + (kx - (KW - 1) / 2)^2) for the
    /// tap in row ky and column kx of a window of KH x KW. Padding is zeros, whose weights are in the
    /// divisor if [`Pool2d::count_include_pad`] says so.
    ///
    /// # Errors
    /// As [`Graph::avg_pool2d`]; any divisor.
    pub fn weighted_avg_pool2d(&mut self, x: Value, pool: Pool2d) -> Result<Value> {
        self.average_pool2d(x, pool.into(), Weighting::Distance)
    }

    /// The p-norm of each window of `x` (N, C, H, W): (sum of x^p)^(1/p), times (taps of a whole
    /// window / taps in the input)^(1/p) for a last window that ceil mode keeps, all as PyTorch has it. An
    /// infinite p takes the largest magnitude.
    ///
    /// An odd whole p keeps signs, as x^p does, and a negative sum has the negative root; any other p
    /// takes magnitudes, |x|^p. Where PyTorch has no number (a negative sum to an odd p above 1, a negative
    /// x to a p that is not whole) these are what this adds to it. The gradient is
    /// (x/y)^(p-1) times the output's, and zero where the norm y is zero, also where p is below 1 and x is
    /// zero, both of which PyTorch gives no number.
    ///
    /// # Errors
    /// p that is not above 0; another rank or type; padding or dilation; windows that do not
    /// fit, as [`Pool2d::output_size`].
    pub fn lp_pool2d(&mut self, x: Value, p: f32, pool: Pool2d) -> Result<Value> {
        if p == f32::INFINITY {
            self.check_owned([x])?;
            let any = LpPool2d(Norm { p: 1.0, pool });
            any.infer(&[&self.info(x).ty]).map_err(|message| self.refusal(any.name(), message))?;
            let magnitudes = self.abs(x)?;
            return self.max_pool2d(magnitudes, pool);
        }
        self.apply1(LpPool2d(Norm { p, pool }), &[x])
    }

    /// The root of the sum of squares of each window of `x` (N, C, H, W): [`Graph::lp_pool2d`] with p = 2.
    ///
    /// # Errors
    /// As [`Graph::lp_pool2d`].
    pub fn l2_pool2d(&mut self, x: Value, pool: Pool2d) -> Result<Value> {
        self.lp_pool2d(x, 2.0, pool)
    }

    /// The mean of `x` (N, C, H, W) over windows that give an output of `output_size`, height before width.
    /// Along a dimension of some size, window i of n takes floor(i size / n) up to, but not with,
    /// ceil((i + 1) size / n), as in PyTorch; they overlap where n does not divide the size.
    ///
    /// # Errors
    /// Another rank or type; an output size of zero.
    pub fn adaptive_avg_pool2d(&mut self, x: Value, output_size: [usize; 2]) -> Result<Value> {
        self.check_owned([x])?;
        let windows = Windows::adaptive(self.shape_of(x), output_size);
        self.average_pool2d(x, windows, Weighting::Equal)
    }

    /// The largest element of `x` (N, C, H, W) in each of the windows of
    /// [`Graph::adaptive_avg_pool2d`]; of equals the first, row by row.
    ///
    /// # Errors
    /// Another rank or type; an output size of zero.
    pub fn adaptive_max_pool2d(&mut self, x: Value, output_size: [usize; 2]) -> Result<Value> {
        self.check_owned([x])?;
        let windows = Windows::adaptive(self.shape_of(x), output_size);
        Ok(self.apply(MaxPool2d(windows), &[x])?[0])
    }

    /// The mean of each plane of `x` (N, C, H, W), as (N, C, 1, 1).
    ///
    /// # Errors
    /// Another rank or type.
    pub fn global_avg_pool2d(&mut self, x: Value) -> Result<Value> {
        self.adaptive_avg_pool2d(x, [1, 1])
    }

    /// The largest element of each plane of `x` (N, C, H, W), as (N, C, 1, 1).
    ///
    /// # Errors
    /// Another rank or type.
    pub fn global_max_pool2d(&mut self, x: Value) -> Result<Value> {
        self.adaptive_max_pool2d(x, [1, 1])
    }

    fn average_pool2d(&mut self, x: Value, windows: Windows, weighting: Weighting) -> Result<Value> {
        self.apply1(AvgPool2d(Average { windows, weighting }), &[x])
    }
}
