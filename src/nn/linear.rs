//! The fully connected layer.

use super::{Layer, default_init};
use crate::error::Result;
use crate::graph::{Graph, Mode, Value};

/// x W^T + b: \[n, inputs] to \[n, outputs].
///
/// Parameters: `weight` \[outputs, inputs] and `bias` \[outputs], both uniform within
/// 1 / sqrt(inputs) at first, as in PyTorch.
#[derive(Clone, PartialEq, Debug)]
pub struct Linear {
    inputs: usize,
    outputs: usize,
    bias: bool,
}

impl Linear {
    /// A linear layer with a bias.
    pub fn new(inputs: usize, outputs: usize) -> Self {
        Linear { inputs, outputs, bias: true }
    }

    /// Whether a bias is added; it is by default.
    #[must_use]
    pub fn bias(mut self, bias: bool) -> Self {
        self.bias = bias;
        self
    }
}

impl Layer for Linear {
    fn forward(&self, g: &mut Graph, x: Value, _mode: Mode) -> Result<Value> {
        let init = default_init(self.inputs);
        let weight = g.parameter("weight", [self.outputs, self.inputs], init.clone())?;
        let bias = self.bias.then(|| g.parameter("bias", [self.outputs], init)).transpose()?;
        g.linear(x, weight, bias)
    }
}
