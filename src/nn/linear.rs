//! The fully connected layer.

use super::Layer;
use super::initializers::Initializers;
use crate::error::Result;
use crate::graph::{Graph, Init, LayerId, Mode, Value};

/// x W^T + b: \[n, ..., inputs] to \[n, ..., outputs].
///
/// Parameters: `weight` \[outputs, inputs] and `bias` \[outputs], both initially uniform within 1 /
/// sqrt(inputs), as in PyTorch.
///
/// ```
/// # fn main() -> wgrad::Result<()> {
/// use wgrad::{Graph, Mode, nn, nn::Layer};
///
/// let mut g = Graph::new();
/// let x = g.input("x", [32, 784])?;
/// let y = nn::Linear::new(784, 10).forward(&mut g, x, Mode::Train)?;
/// assert_eq!(g.shape(y)?[..], [32, 10]);
/// assert_eq!(g.parameters().len(), 2); // weight [10, 784] and bias [10]
/// # Ok(())
/// # }
/// ```
#[derive(Clone, PartialEq, Debug)]
pub struct Linear {
    inputs: usize,
    outputs: usize,
    bias: bool,
    initializers: Initializers,
    id: LayerId,
}

impl Linear {
    /// A linear layer with a bias.
    pub fn new(inputs: usize, outputs: usize) -> Self {
        Linear { inputs, outputs, bias: true, initializers: Initializers::default(), id: LayerId::new() }
    }

    initializer_setters!();
}

impl Layer for Linear {
    fn forward(&self, g: &mut Graph, x: Value, _mode: Mode) -> Result<Value> {
        let (of_weight, of_bias) = self.initializers.or_default(self.inputs);
        g.layer(&self.id, |g| {
            let weight = g.parameter("weight", [self.outputs, self.inputs], of_weight)?;
            let bias = self.bias.then(|| g.parameter("bias", [self.outputs], of_bias)).transpose()?;
            let shape = g.shape(x)?.to_vec();
            let [rows @ .., features] = &shape[..] else { return g.linear(x, weight, bias) };
            // What has no rows, or rows of another length, is refused as it is.
            if rows.len() < 2 || *features != self.inputs {
                return g.linear(x, weight, bias);
            }
            let flat = g.reshape(x, [rows.iter().product(), self.inputs])?;
            let y = g.linear(flat, weight, bias)?;
            g.reshape(y, [rows, &[self.outputs]].concat())
        })
    }
}
