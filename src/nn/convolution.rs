//! The convolution layer.

use super::{Layer, default_init};
use crate::error::Result;
use crate::graph::{Graph, Mode, Value};
use crate::ops::conv2d;

/// 2-D convolution (cross-correlation, as in PyTorch): \[n, inputs, h, w] to \[n, outputs, oh, ow]
/// with oh = (h + 2 * padding - dilation * (kernel - 1) - 1) / stride + 1, rounded down.
///
/// Parameters: `weight` \[outputs, inputs / groups, kernel height, kernel width] and `bias`
/// \[outputs], both uniform within 1 / sqrt(inputs / groups * kernel height * kernel width) at first,
/// as in PyTorch.
#[derive(Clone, PartialEq, Debug)]
pub struct Conv2d {
    inputs: usize,
    outputs: usize,
    kernel: [usize; 2],
    bias: bool,
    attributes: conv2d::Conv2d,
}

impl Conv2d {
    /// A convolution with stride 1, no padding, one group and a bias. `kernel` is height and width.
    pub fn new(inputs: usize, outputs: usize, kernel: [usize; 2]) -> Self {
        Conv2d { inputs, outputs, kernel, bias: true, attributes: conv2d::Conv2d::default() }
    }

    /// Steps between outputs, down and across.
    #[must_use]
    pub fn stride(mut self, stride: [usize; 2]) -> Self {
        self.attributes = self.attributes.stride(stride);
        self
    }

    /// Rows of zeros above and below, columns of zeros left and right.
    #[must_use]
    pub fn padding(mut self, padding: [usize; 2]) -> Self {
        self.attributes = self.attributes.padding(padding);
        self
    }

    /// Steps between the taps of a window, down and across.
    #[must_use]
    pub fn dilation(mut self, dilation: [usize; 2]) -> Self {
        self.attributes = self.attributes.dilation(dilation);
        self
    }

    /// Groups of channels that see nothing of each other.
    #[must_use]
    pub fn groups(mut self, groups: usize) -> Self {
        self.attributes = self.attributes.groups(groups);
        self
    }

    /// Whether a bias is added; it is by default.
    #[must_use]
    pub fn bias(mut self, bias: bool) -> Self {
        self.bias = bias;
        self
    }
}

impl Layer for Conv2d {
    fn forward(&self, g: &mut Graph, x: Value, _mode: Mode) -> Result<Value> {
        let [height, width] = self.kernel;
        // No groups at all are the operator's to refuse.
        let inputs = self.inputs / self.attributes.groups.max(1);
        let init = default_init(inputs.saturating_mul(height).saturating_mul(width));
        let weight = g.parameter("weight", [self.outputs, inputs, height, width], init.clone())?;
        let bias = self.bias.then(|| g.parameter("bias", [self.outputs], init)).transpose()?;
        g.conv2d(x, weight, bias, self.attributes)
    }
}
