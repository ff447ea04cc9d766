//! Layers in sequence. `edit.rs` finds, replaces, cuts and freezes them.

use super::Layer;
use super::container::{Container, Join};

/// Runs its layers in order, each in a scope of its name.
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
pub struct Sequential(pub(super) Container);

impl Default for Sequential {
    fn default() -> Self {
        Sequential(Container::new(Join::Sequence))
    }
}

impl Sequential {
    /// A network without layers, which returns its input.
    pub fn new() -> Self {
        Sequential::default()
    }

    /// Appends a layer in a scope of this name. Layers with parameters need different names.
    #[must_use]
    pub fn add(mut self, name: impl Into<String>, layer: impl Layer + 'static) -> Self {
        self.0.push(Some(name.into()), layer);
        self
    }

    /// Appends a layer whose name is its index, as in PyTorch's `Sequential`: `0`, `1`, and so on.
    #[must_use]
    pub fn push(self, layer: impl Layer + 'static) -> Self {
        let name = self.0.len().to_string();
        self.add(name, layer)
    }

    /// Appends a layer without a scope of its own. Its parameters are named as if they were declared here.
    #[must_use]
    pub fn inline(mut self, layer: impl Layer + 'static) -> Self {
        self.0.push(None, layer);
        self
    }
}

container_layer!(Sequential);
