//! Pooling over the two spatial dimensions of (N, C, H, W), and its gradients.
//!
//! Sizes, defaults and the tie rule of max pooling (the first of equals, row by row) are PyTorch's. Every backward
//! pass gathers: each input element adds the gradients of the windows that cover it, in a fixed order, and is written
//! once. One WGSL file says where windows lie and another what is made of their taps, so any kind of pooling runs
//! over any kind of windows. Work that is too long for one invocation's loops is divided into parts (`parts`).

mod average;
mod lp;
mod max;
mod one_dimension;
mod options;
mod parts;
mod unpool;
mod windows;

pub use average::{Average, AvgPool2d, AvgPool2dGrad, Weighting};
pub use lp::{LpPool2d, LpPool2dGrad, Norm};
pub use max::{MaxPool2d, MaxPool2dGrad};
pub use options::{
    AvgPool1dOptions, AvgPool2dOptions, LpPool2dOptions, MaxPool1dOptions, MaxPool2dOptions,
    WeightedAvgPool2dOptions,
};
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

/// Invocations that share a plane of this many packs. With many invocations to keep busy, each takes a few packs.
fn team(packs: usize, wide: bool) -> usize {
    if wide { packs.div_ceil(4).next_power_of_two().min(LANES) } else { 1 }
}

/// Height and width.
fn plane(shape: &Shape) -> [usize; 2] {
    [shape[2], shape[3]]
}

fn check_gradient(ty: &TensorType, expected: &Shape) -> Result<(), String> {
    if ty.dtype == DType::F32 && ty.shape == *expected {
        return Ok(());
    }
    Err(format!("expected the output's gradient as f32 {expected}, found {ty}"))
}

impl Graph {
    /// The largest element of each window of `x` (N, C, H, W); of equals the first, row by row. NaN is larger than
    /// any number, and the last NaN gets the gradient, as in PyTorch.
    ///
    /// ```
    /// # fn main() -> wgrad::Result<()> {
    /// use wgrad::Graph;
    /// use wgrad::ops::pool2d::MaxPool2dOptions;
    ///
    /// let mut g = Graph::new();
    /// let x = g.input("x", [8, 64, 112, 112])?;
    /// let options = MaxPool2dOptions::new([3, 3]).stride([2, 2]).padding([1, 1]);
    /// let y = g.max_pool2d(x, options)?;
    /// assert_eq!(g.shape(y)?[..], [8, 64, 56, 56]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Another rank or type; windows that do not fit, as [`Pool2d::output_size`].
    pub fn max_pool2d(&mut self, x: Value, options: MaxPool2dOptions) -> Result<Value> {
        Ok(self.apply(MaxPool2d(Pool2d::from(options).into()), &[x])?[0])
    }

    /// The mean of each window of `x` (N, C, H, W).
    ///
    /// # Errors
    /// Another rank or type; windows that do not fit, as [`Pool2d::output_size`]; a divisor of zero.
    pub fn avg_pool2d(&mut self, x: Value, options: AvgPool2dOptions) -> Result<Value> {
        self.average_pool2d(x, Pool2d::from(options).into(), Weighting::Equal)
    }

    /// The mean of each window of `x` (N, C, H, W), weighted by distance from the window's middle: sum of w x over
    /// sum of w with w = 1 / (1 + d), where d = sqrt((ky - (KH - 1) / 2)^2 + (kx - (KW - 1) / 2)^2) for the tap in
    /// row ky and column kx of a window of KH x KW. Padding counts as zeros. Its weights are part of the divisor if
    /// [`WeightedAvgPool2dOptions::count_include_pad`] is set.
    ///
    /// # Errors
    /// As [`Graph::avg_pool2d`].
    pub fn weighted_avg_pool2d(&mut self, x: Value, options: WeightedAvgPool2dOptions) -> Result<Value> {
        self.average_pool2d(x, Pool2d::from(options).into(), Weighting::Distance)
    }

    /// The p-norm of each window of `x` (N, C, H, W): (sum of x^p)^(1/p), times (taps of a whole window / taps in the
    /// input)^(1/p) for a last window that ceil mode keeps, all as in PyTorch. With an infinite p it is the largest
    /// magnitude.
    ///
    /// An odd whole p keeps signs, as x^p does, and a negative sum has a negative root. Any other p uses magnitudes,
    /// |x|^p. PyTorch gives NaN for a negative sum with an odd p above 1, and for a negative x with a p that is not
    /// whole. The gradient is (x/y)^(p-1) times the output's. It is zero if the norm y is zero, and if p is below 1
    /// and x is zero; PyTorch gives NaN for both.
    ///
    /// # Errors
    /// p that is not above 0; another rank or type; windows that do not fit, as [`Pool2d::output_size`].
    pub fn lp_pool2d(&mut self, x: Value, p: f32, options: LpPool2dOptions) -> Result<Value> {
        let pool = Pool2d::from(options);
        if p == f32::INFINITY {
            self.check_owned([x])?;
            let any = LpPool2d(Norm { p: 1.0, pool });
            any.infer(&[&self.info(x).ty]).map_err(|message| self.refusal(any.name(), message))?;
            let magnitudes = self.abs(x)?;
            return Ok(self.apply(MaxPool2d(pool.into()), &[magnitudes])?[0]);
        }
        self.apply1(LpPool2d(Norm { p, pool }), &[x])
    }

    /// The root of the sum of squares of each window of `x` (N, C, H, W): [`Graph::lp_pool2d`] with p = 2.
    ///
    /// # Errors
    /// As [`Graph::lp_pool2d`].
    pub fn l2_pool2d(&mut self, x: Value, options: LpPool2dOptions) -> Result<Value> {
        self.lp_pool2d(x, 2.0, options)
    }

    /// The mean of `x` (N, C, H, W) over windows that give an output of `output_size`, height before width. Along a
    /// dimension of some size, window i of n takes floor(i size / n) up to and excluding ceil((i + 1) size / n), as
    /// in PyTorch. Windows overlap if n does not divide the size.
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
