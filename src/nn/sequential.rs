//! Layers one after the other, each under a name.

use super::Layer;
use crate::error::Result;
use crate::graph::{Graph, Mode, Value};

/// Runs its layers in order, each within a scope of its name.
///
/// ```
/// # fn main() -> wgrad::Result<()> {
/// use wgrad::{Graph, Mode, nn};
///
/// let net = nn::Sequential::new()
///     .add("conv1", nn::Conv2d::new(1, 8, [3, 3]).padding([1, 1]))
///     .add("relu1", nn::Relu)
///     .add("pool1", nn::MaxPool2d::new([2, 2]))
///     .add("flatten", nn::Flatten)
///     .add("fc", nn::Linear::new(8 * 14 * 14, 10));
/// let mut g = Graph::new();
/// let images = g.input("images", [32, 1, 28, 28])?;
/// let logits = g.scoped("net", |g| nn::Layer::forward(&net, g, images, Mode::Train))?;
/// assert_eq!(g.shape(logits)[..], [32, 10]);
/// assert!(g.find("net.conv1.weight").is_some());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Default)]
pub struct Sequential {
    layers: Vec<(String, Box<dyn Layer>)>,
}

impl Sequential {
    /// A network without layers: gives its input back.
    pub fn new() -> Self {
        Sequential::default()
    }

    /// Appends a layer. Layers with parameters need names of their own.
    #[must_use]
    #[expect(clippy::should_implement_trait, reason = "it adds to a list")]
    pub fn add(mut self, name: impl Into<String>, layer: impl Layer + 'static) -> Self {
        self.layers.push((name.into(), Box::new(layer)));
        self
    }
}

impl Layer for Sequential {
    fn forward(&self, g: &mut Graph, x: Value, mode: Mode) -> Result<Value> {
        self.layers.iter().try_fold(x, |x, (name, layer)| g.scoped(name, |g| layer.forward(g, x, mode)))
    }
}
