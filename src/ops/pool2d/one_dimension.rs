//! Pooling along the one spatial dimension of (N, C, L): pooling of planes of height one, between views, which cost
//! nothing.

use super::{Average, AvgPool2d, MaxPool2d, Pool2d, Weighting, Windows};
use crate::error::Result;
use crate::graph::{Graph, Value};
use crate::op::Operator;
use crate::tensor::{DType, TensorType};

/// Windows of a pooling along one dimension, with PyTorch's names and defaults.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Pool1d {
    /// Size of a window.
    pub kernel: usize,
    /// Step from one window to the next.
    pub stride: usize,
    /// Padding on both sides, at most half the kernel.
    pub padding: usize,
    /// Step from one tap of a window to the next. Max pooling only.
    pub dilation: usize,
    /// Whether a last window that reaches past the padding is kept.
    pub ceil_mode: bool,
    /// Whether padding counts in an average's divisor. Average pooling only.
    pub count_include_pad: bool,
}

impl Pool1d {
    /// Windows of this size, side by side: the stride is the kernel, nothing is padded.
    pub fn new(kernel: usize) -> Self {
        Pool1d { kernel, stride: kernel, padding: 0, dilation: 1, ceil_mode: false, count_include_pad: true }
    }

    /// Sets the step from one window to the next.
    #[must_use]
    pub fn stride(mut self, stride: usize) -> Self {
        self.stride = stride;
        self
    }

    /// Sets the padding on both sides.
    #[must_use]
    pub fn padding(mut self, padding: usize) -> Self {
        self.padding = padding;
        self
    }

    /// Sets the step from one tap of a window to the next.
    #[must_use]
    pub fn dilation(mut self, dilation: usize) -> Self {
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

    /// The same windows along the width of a plane of height one.
    fn along_width(&self) -> Windows {
        let pool = Pool2d::new([1, self.kernel])
            .stride([1, self.stride])
            .padding([0, self.padding])
            .dilation([1, self.dilation])
            .ceil_mode(self.ceil_mode)
            .count_include_pad(self.count_include_pad);
        pool.into()
    }
}

impl Graph {
    /// The largest element of each window of `x` (N, C, L); of equals the first.
    ///
    /// # Errors
    /// As [`Graph::max_pool2d`].
    pub fn max_pool1d(&mut self, x: Value, pool: Pool1d) -> Result<Value> {
        self.pool_height_one("max_pool1d", x, |_| MaxPool2d(pool.along_width()))
    }

    /// The mean of each window of `x` (N, C, L).
    ///
    /// # Errors
    /// As [`Graph::avg_pool2d`].
    pub fn avg_pool1d(&mut self, x: Value, pool: Pool1d) -> Result<Value> {
        self.pool_height_one("avg_pool1d", x, |_| equal(pool.along_width()))
    }

    /// The mean of `x` (N, C, L) over windows that give an output of `output_size`, as
    /// [`Graph::adaptive_avg_pool2d`].
    ///
    /// # Errors
    /// As [`Graph::adaptive_avg_pool2d`].
    pub fn adaptive_avg_pool1d(&mut self, x: Value, output_size: usize) -> Result<Value> {
        let windows = |plane: &TensorType| Windows::adaptive(&plane.shape, [1, output_size]);
        self.pool_height_one("adaptive_avg_pool1d", x, |plane| equal(windows(plane)))
    }

    /// The largest element of `x` (N, C, L) in windows that give an output of `output_size`, as
    /// [`Graph::adaptive_max_pool2d`].
    ///
    /// # Errors
    /// As [`Graph::adaptive_max_pool2d`].
    pub fn adaptive_max_pool1d(&mut self, x: Value, output_size: usize) -> Result<Value> {
        let windows = |plane: &TensorType| Windows::adaptive(&plane.shape, [1, output_size]);
        self.pool_height_one("adaptive_max_pool1d", x, |plane| MaxPool2d(windows(plane)))
    }

    fn pool_height_one<O: Operator>(
        &mut self,
        name: &str,
        x: Value,
        operator: impl FnOnce(&TensorType) -> O,
    ) -> Result<Value> {
        self.check_owned([x])?;
        let ty = self.info(x).ty.clone();
        let (DType::F32, &[images, channels, length]) = (ty.dtype, &ty.shape[..]) else {
            return Err(self.refusal(name, format!("expected f32 of shape (N, C, L), found {ty}")));
        };
        let plane = TensorType::f32([images, channels, 1, length]);
        let operator = operator(&plane);
        // Checked before a node is made, because a refused call must leave none.
        operator.infer(&[&plane]).map_err(|message| self.refusal(name, message))?;
        let plane = self.reshape(x, plane.shape)?;
        let pooled = self.apply(operator, &[plane])?[0];
        let length = self.shape_of(pooled)[3];
        self.reshape(pooled, [images, channels, length])
    }
}

fn equal(windows: Windows) -> AvgPool2d {
    AvgPool2d(Average { windows, weighting: Weighting::Equal })
}
