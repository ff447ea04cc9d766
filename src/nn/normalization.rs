//! Batch normalisation.

use super::Layer;
use crate::error::Result;
use crate::graph::{Graph, Init, Mode, Value};
use crate::ops::batch_norm;

/// Normalises each channel over the batch (and the image, where there is one): input
/// \[n, channels] or \[n, channels, h, w], PyTorch's `BatchNorm1d` and `BatchNorm2d`.
///
/// Parameters: `weight` and `bias` \[channels], ones and zeros at first. State: `running_mean` and
/// `running_var` \[channels], zeros and ones at first; training updates them, evaluation uses them.
#[derive(Clone, PartialEq, Debug)]
pub struct BatchNorm {
    channels: usize,
    attributes: batch_norm::BatchNorm,
}

impl BatchNorm {
    /// Batch norm with PyTorch's defaults: epsilon 1e-5, momentum 0.1.
    pub fn new(channels: usize) -> Self {
        BatchNorm { channels, attributes: batch_norm::BatchNorm::default() }
    }

    /// What is added to the variance under the root.
    #[must_use]
    pub fn eps(mut self, eps: f32) -> Self {
        self.attributes.eps = eps;
        self
    }

    /// The weight of a batch's statistics in the running ones.
    #[must_use]
    pub fn momentum(mut self, momentum: f32) -> Self {
        self.attributes.momentum = momentum;
        self
    }
}

impl Layer for BatchNorm {
    fn forward(&self, g: &mut Graph, x: Value, mode: Mode) -> Result<Value> {
        let shape = [self.channels];
        let weight = g.parameter("weight", shape, Init::Constant(1.0))?;
        let bias = g.parameter("bias", shape, Init::Constant(0.0))?;
        let mean = g.state("running_mean", shape, Init::Constant(0.0), true)?;
        let variance = g.state("running_var", shape, Init::Constant(1.0), true)?;
        g.batch_norm(x, weight, bias, mean, variance, self.attributes, mode)
    }
}
