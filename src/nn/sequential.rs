//! Layers one after the other, and what a layer within a container is: the layer and its name.

use super::Layer;
use crate::error::Result;
use crate::graph::{Graph, Mode, Value};

/// A layer and the scope that it runs in: one of its own, or, without a name, its container's.
#[derive(Debug)]
pub(super) struct Child {
    name: Option<String>,
    layer: Box<dyn Layer>,
}

impl Child {
    pub(super) fn named(name: impl Into<String>, layer: impl Layer + 'static) -> Child {
        Child { name: Some(name.into()), layer: Box::new(layer) }
    }

    pub(super) fn unnamed(layer: impl Layer + 'static) -> Child {
        Child { name: None, layer: Box::new(layer) }
    }

    pub(super) fn forward(&self, g: &mut Graph, x: Value, mode: Mode) -> Result<Value> {
        match &self.name {
            Some(name) => g.scoped(name, |g| self.layer.forward(g, x, mode)),
            None => self.layer.forward(g, x, mode),
        }
    }
}

/// Runs its layers in order, each within a scope of its name.
///
/// ```
/// # fn main() -> wgrad::Result<()> {
/// use wgrad::nn::{self, Layer};
/// use wgrad::{Graph, Mode};
///
/// let features = nn::Sequential::new()
///     .push(nn::Conv2d::new(1, 8, [3, 3]).padding([1, 1]))
///     .push(nn::Relu)
///     .push(nn::Conv2d::new(8, 8, [3, 3]).padding([1, 1]))
///     .push(nn::MaxPool2d::new([2, 2]));
/// let net = nn::Sequential::new()
///     .add("features", features)
///     .add("flatten", nn::Flatten)
///     .add("fc", nn::Linear::new(8 * 14 * 14, 10));
/// let mut g = Graph::new();
/// let images = g.input("images", [32, 1, 28, 28])?;
/// let logits = net.forward(&mut g, images, Mode::Train)?;
/// assert_eq!(g.shape(logits)?[..], [32, 10]);
/// assert!(g.find("features.2.weight").is_some() && g.find("fc.weight").is_some());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Default)]
pub struct Sequential {
    layers: Vec<Child>,
}

impl Sequential {
    /// A network without layers: gives its input back.
    pub fn new() -> Self {
        Sequential::default()
    }

    /// Appends a layer. Layers with parameters need names of their own.
    #[must_use]
    pub fn add(self, name: impl Into<String>, layer: impl Layer + 'static) -> Self {
        self.with(Child::named(name, layer))
    }

    /// Appends a layer named by how many stand before it, as PyTorch's `Sequential` names its own:
    /// `0`, `1`, and so on.
    #[must_use]
    pub fn push(self, layer: impl Layer + 'static) -> Self {
        let name = self.layers.len().to_string();
        self.add(name, layer)
    }

    /// Appends a layer that gets no scope of its own: its parameters are named as if they stood here.
    #[must_use]
    pub fn inline(self, layer: impl Layer + 'static) -> Self {
        self.with(Child::unnamed(layer))
    }

    fn with(mut self, child: Child) -> Self {
        self.layers.push(child);
        self
    }
}

impl Layer for Sequential {
    fn forward(&self, g: &mut Graph, x: Value, mode: Mode) -> Result<Value> {
        self.layers.iter().try_fold(x, |x, child| child.forward(g, x, mode))
    }
}
