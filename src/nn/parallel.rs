//! Layers side by side: branches that take the same input, joined to one output.

use super::Layer;
use super::Sequential;
use super::container::{Container, Join};
use crate::graph::Graph;

/// Gives every branch the same input and joins their outputs. For residual blocks, skip connections, gates, and
/// blocks of several kernel sizes.
///
/// ResNet's residual block:
///
/// ```
/// # fn main() -> wgrad::Result<()> {
/// use wgrad::nn::{self, Layer};
/// use wgrad::{Graph, Mode};
///
/// let convolution = || nn::Conv2d::new(16, 16, [3, 3]).padding([1, 1]).bias(false);
/// let main = nn::Sequential::new()
///     .add("conv1", convolution())
///     .add("bn1", nn::BatchNorm::new(16))
///     .add("relu", nn::Relu)
///     .add("conv2", convolution())
///     .add("bn2", nn::BatchNorm::new(16));
/// let block = nn::Sequential::new()
///     .inline(nn::Parallel::sum().inline(main).identity())
///     .add("relu2", nn::Relu);
/// let mut g = Graph::new();
/// let x = g.input("x", [2, 16, 8, 8])?;
/// let y = g.scoped("block", |g| block.forward(g, x, Mode::Train))?;
/// assert_eq!(g.shape(y)?, g.shape(x)?);
/// assert!(g.find("block.conv1.weight").is_some());
/// # Ok(())
/// # }
/// ```
pub struct Parallel(Container);

impl Parallel {
    /// Adds the outputs, in order, with broadcasting.
    #[doc(alias = "residual")]
    pub fn sum() -> Self {
        Parallel(Container::new(Join::Fold("sum", Graph::add)))
    }

    /// Multiplies the outputs, in order, with broadcasting. With an identity beside it, a branch gates its input, as
    /// squeeze and excitation does by a factor of each channel.
    #[doc(alias = "gate")]
    pub fn product() -> Self {
        Parallel(Container::new(Join::Fold("product", Graph::mul)))
    }

    /// Concatenates the outputs along `axis`, in order; 1 is the channels of images.
    ///
    /// A stage of U-Net passes its input on to the place where the image has this size again:
    /// `Parallel::concatenate(1).inline(below).identity()`.
    pub fn concatenate(axis: usize) -> Self {
        Parallel(Container::new(Join::Along(axis, Graph::concatenate)))
    }

    /// Appends a branch within a scope of this name.
    #[must_use]
    pub fn add(mut self, name: impl Into<String>, layer: impl Layer + 'static) -> Self {
        self.0.push(Some(name.into()), layer);
        self
    }

    /// Appends a branch without a scope of its own. Its parameters are named as if they were declared here.
    #[must_use]
    pub fn inline(mut self, layer: impl Layer + 'static) -> Self {
        self.0.push(None, layer);
        self
    }

    /// Appends a branch that returns its input.
    #[must_use]
    #[doc(alias = "skip")]
    pub fn identity(self) -> Self {
        self.inline(Sequential::new())
    }
}

container_layer!(Parallel);
