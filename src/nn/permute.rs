//! Layers that move elements and change none.

use super::Layer;
use crate::error::Result;
use crate::graph::{Graph, Mode, Value};

/// The input with its dimensions in another order, as [`Graph::permute`] defines it and torchvision's `Permute`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Permute {
    axes: Vec<usize>,
}

impl Permute {
    /// Dimension `d` of the output is dimension `axes[d]` of the input.
    pub fn new(axes: impl Into<Vec<usize>>) -> Self {
        Permute { axes: axes.into() }
    }
}

impl Layer for Permute {
    fn forward(&self, g: &mut Graph, x: Value, _mode: Mode) -> Result<Value> {
        g.permute(x, self.axes.clone())
    }
}

/// Deals channels out: first the first channel of each group, then the second ones, and so on. Input: \[n, channels,
/// ...], with groups of neighbouring channels. PyTorch's `ChannelShuffle`, of Zhang, Zhou, Lin and Sun (2018),
/// "ShuffleNet".
///
/// ```
/// # fn main() -> wgrad::Result<()> {
/// use wgrad::{Graph, Mode, nn, nn::Layer};
///
/// let mut g = Graph::new();
/// let x = g.input("x", [8, 6, 4, 4])?;
/// let y = nn::ChannelShuffle::new(2).forward(&mut g, x, Mode::Train)?; // channels 0 3 1 4 2 5
/// assert_eq!(g.shape(y)?, g.shape(x)?);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ChannelShuffle {
    groups: usize,
}

impl ChannelShuffle {
    /// A shuffle of so many groups.
    pub fn new(groups: usize) -> Self {
        ChannelShuffle { groups }
    }
}

impl Layer for ChannelShuffle {
    fn forward(&self, g: &mut Graph, x: Value, _mode: Mode) -> Result<Value> {
        let shape = g.shape(x)?.clone();
        let refused = |message: String| Err(g.refusal("channel_shuffle", message));
        let [n, channels, rest @ ..] = &shape[..] else {
            return refused(format!("expects channels, (N, C, ...), found {shape}"));
        };
        let groups = self.groups;
        if groups == 0 || channels % groups != 0 {
            return refused(format!("expects groups that divide the {channels} channels, found {groups}"));
        }
        let pixels = rest.iter().product();
        let apart = g.reshape(x, [*n, groups, channels / groups, pixels])?;
        let dealt = g.permute(apart, [0, 2, 1, 3])?;
        g.reshape(dealt, shape)
    }
}
