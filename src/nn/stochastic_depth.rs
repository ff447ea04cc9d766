//! Stochastic depth, which skips blocks at random.

use super::Layer;
use crate::error::Result;
use crate::graph::{Graph, Mode, Value};

/// In training sets whole samples to zero with a given probability and divides the others by the probability of
/// keeping them; in evaluation does nothing; with [`Mode::MonteCarlo`] as in training. Behind a residual block's main
/// branch it lets samples skip the block (Huang, Sun, Liu, Sedra and Weinberger, "Deep networks with stochastic
/// depth", 2016). torchvision's `StochasticDepth` in mode "row".
///
/// ```
/// # fn main() -> wgrad::Result<()> {
/// use wgrad::{Graph, Mode, nn, nn::Layer};
///
/// let convolution = nn::Conv2d::new(16, 16, [3, 3]).padding([1, 1]);
/// let main = nn::Sequential::new().add("conv", convolution).inline(nn::StochasticDepth::new(0.1));
/// let block = nn::Parallel::sum().inline(main).identity();
/// let mut g = Graph::new();
/// let x = g.input("x", [8, 16, 32, 32])?;
/// let y = block.forward(&mut g, x, Mode::Train)?; // a tenth of the samples are x alone
/// assert_eq!(g.shape(y)?, g.shape(x)?);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, PartialEq, Debug)]
pub struct StochasticDepth {
    p: f64,
    seed: u64,
}

impl StochasticDepth {
    /// Sets each sample to zero with probability `p`, from 0 to 1.
    pub fn new(p: f64) -> Self {
        StochasticDepth { p, seed: 0 }
    }

    setters! {
        /// Sets the seed of the random bits, which also depend on the step and the node.
        seed: u64;
    }
}

impl Layer for StochasticDepth {
    fn forward(&self, g: &mut Graph, x: Value, mode: Mode) -> Result<Value> {
        g.stochastic_depth(x, self.p, self.seed, mode)
    }
}
