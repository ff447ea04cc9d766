//! Layers: they declare parameters, with PyTorch's names and initial values, and append the nodes that use
//! them.
//!
//! A layer is plain data until [`Layer::forward`] appends its nodes to a graph. The same network builds the
//! training graph and the evaluation graph, and their sessions share [`Weights`](crate::Weights) by name.
//! Operators without parameters are methods of [`Graph`]; whole networks are in [`models`].
//!
//! A layer that is applied again in the same scope shares its parameters, as in PyTorch: siamese and triplet networks
//! are `net.forward` called once for each input. Gradients add up, batch norm updates its running statistics once per
//! application, in order, and dropout draws anew. Two different layers of the same name are refused, even if they are
//! equal. To put one layer in several containers, wrap it in an [`Arc`].

#[macro_use]
mod container;
#[macro_use]
mod initializers;
#[macro_use]
mod operator;

mod activations;
mod augment;
mod convolution;
mod dropout;
mod edit;
mod embedding;
mod linear;
pub mod models;
mod normalization;
mod padding;
mod parallel;
mod permute;
mod pooling;
mod sequential;
mod stochastic_depth;
mod views;
mod whitening;

pub use activations::{
    Elu, Flatten, Gelu, GeluTanh, HardSigmoid, HardSwish, HardTanh, LeakyRelu, LogSoftmax, Mish, PRelu, Relu,
    Relu6, Selu, Sigmoid, Silu, Softmax, Softplus, Tanh,
};
pub use augment::Augment;
pub use convolution::{Conv1d, Conv2d, ConvTranspose1d, ConvTranspose2d};
pub use dropout::{Dropout, Dropout2d};
pub use edit::Position;
pub use embedding::Embedding;
pub use linear::Linear;
pub use normalization::{BatchNorm, GroupNorm, InstanceNorm, LayerNorm, LocalResponseNorm};
pub use padding::Pad;
pub use parallel::Parallel;
pub use permute::{ChannelShuffle, Permute};
pub use pooling::{
    AdaptiveAvgPool1d, AdaptiveAvgPool2d, AdaptiveMaxPool1d, AdaptiveMaxPool2d, AvgPool1d, AvgPool2d,
    GlobalAvgPool2d, GlobalMaxPool2d, LpPool2d, MaxPool1d, MaxPool2d, Upsample, WeightedAvgPool2d,
};
pub use sequential::Sequential;
pub use stochastic_depth::StochasticDepth;
pub use views::TestTimeViews;
pub use whitening::whitening_filters;

use crate::error::Result;
use crate::graph::{Graph, Mode, Value};
use container::Container;
use std::fmt::Debug;
use std::sync::Arc;

/// A part of a network. [`Sequential`] and [`Parallel`] compose layers, and your own types can implement this
/// trait.
///
/// ```
/// # fn main() -> wgrad::Result<()> {
/// use wgrad::nn::{self, Layer};
/// use wgrad::{Graph, Mode};
///
/// let net = nn::Sequential::new().add("fc", nn::Linear::new(16, 4));
/// let mut g = Graph::new();
/// let [left, right] = [g.input("left", [8, 16])?, g.input("right", [8, 16])?];
/// // A siamese network: one `fc.weight` for both.
/// let a = net.forward(&mut g, left, Mode::Train)?;
/// let b = net.forward(&mut g, right, Mode::Train)?;
/// assert_eq!(g.parameters_of(a)?, g.parameters_of(b)?);
/// # Ok(())
/// # }
/// ```
///
/// A composition of layers only needs a `forward` that runs them in scopes ([`Graph::scoped`]). A layer with
/// parameters of its own declares them within [`Graph::layer`], which has an example.
pub trait Layer: Debug + Send + Sync {
    /// Appends the layer's nodes and declares its parameters, both named after the graph's current
    /// scope: within the scope `conv1` the weight is `conv1.weight`.
    ///
    /// # Errors
    /// An input whose shape does not fit; the error has the layer's name.
    fn forward(&self, g: &mut Graph, x: Value, mode: Mode) -> Result<Value>;

    /// Only for this module's containers, which run nested ones without recursion: the layers within.
    #[doc(hidden)]
    fn container(&self) -> Option<&Container> {
        None
    }

    #[doc(hidden)]
    fn container_mut(&mut self) -> Option<&mut Container> {
        None
    }
}

/// The layer within. Every clone of the `Arc` is the same layer and shares its parameters, in any container.
impl<L: Layer + ?Sized> Layer for Arc<L> {
    fn forward(&self, g: &mut Graph, x: Value, mode: Mode) -> Result<Value> {
        (**self).forward(g, x, mode)
    }

    fn container(&self) -> Option<&Container> {
        (**self).container()
    }

    fn container_mut(&mut self) -> Option<&mut Container> {
        Arc::get_mut(self)?.container_mut()
    }
}

/// The layer within.
impl<L: Layer + ?Sized> Layer for Box<L> {
    fn forward(&self, g: &mut Graph, x: Value, mode: Mode) -> Result<Value> {
        (**self).forward(g, x, mode)
    }

    fn container(&self) -> Option<&Container> {
        (**self).container()
    }

    fn container_mut(&mut self) -> Option<&mut Container> {
        (**self).container_mut()
    }
}
