//! Pooling along the one spatial dimension of (N, C, L): pooling of planes of height one, between views, which cost
//! nothing.

use super::{Average, AvgPool1dOptions, AvgPool2d, MaxPool1dOptions, MaxPool2d, Pool2d, Weighting, Windows};
use crate::error::Result;
use crate::graph::{Graph, Value};
use crate::op::Operator;
use crate::tensor::{DType, TensorType};

impl Graph {
    /// The largest element of each window of `x` (N, C, L); of equals the first.
    ///
    /// # Errors
    /// As [`Graph::max_pool2d`].
    pub fn max_pool1d(&mut self, x: Value, options: MaxPool1dOptions) -> Result<Value> {
        self.pool_height_one("max_pool1d", x, |_| MaxPool2d(Pool2d::from(options).into()))
    }

    /// The mean of each window of `x` (N, C, L).
    ///
    /// # Errors
    /// As [`Graph::avg_pool2d`].
    pub fn avg_pool1d(&mut self, x: Value, options: AvgPool1dOptions) -> Result<Value> {
        self.pool_height_one("avg_pool1d", x, |_| equal(Pool2d::from(options).into()))
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
