//! Which layer declared a parameter or a state. A layer that is applied again gets its own back; any other use of a
//! taken name is refused.

use super::{Graph, Source, Value};
use crate::error::{Error, Result};
use crate::tensor::TensorType;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

/// Identifies a layer, as the object does in PyTorch. Layers of [`nn`](crate::nn) have one; a layer of your own with
/// parameters keeps one in a field and declares them within [`Graph::layer`].
///
/// A clone is another layer and has an id of its own. Ids compare equal, so that a layer that derives `PartialEq`
/// compares its settings.
pub struct LayerId(u64);

impl LayerId {
    /// An id that no other layer has.
    pub fn new() -> Self {
        static LAYERS: AtomicU64 = AtomicU64::new(0);
        LayerId(LAYERS.fetch_add(1, Ordering::Relaxed))
    }
}

impl Default for LayerId {
    fn default() -> Self {
        LayerId::new()
    }
}

impl Clone for LayerId {
    fn clone(&self) -> Self {
        LayerId::new()
    }
}

impl PartialEq for LayerId {
    fn eq(&self, _other: &Self) -> bool {
        true
    }
}

impl Eq for LayerId {}

impl fmt::Debug for LayerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LayerId")
    }
}

/// One application of a layer. Applications are numbered throughout a graph.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Application {
    layer: u64,
    number: u64,
}

impl Graph {
    /// Runs `build` as one application of the layer `id`. The parameters and state that `build` declares are the
    /// layer's. If the same layer was applied before in the same scope, [`Graph::parameter`] and [`Graph::state`]
    /// return the newest values of the same tensors: the applications share them, and gradients add up. Nested layers
    /// own what they declare.
    ///
    /// ```
    /// use wgrad::graph::{Init, LayerId};
    /// use wgrad::nn::Layer;
    /// use wgrad::{Graph, Mode, Result, Value};
    ///
    /// /// Multiplies each feature by a trained factor.
    /// #[derive(Clone, Debug)]
    /// struct Scale {
    ///     features: usize,
    ///     id: LayerId,
    /// }
    ///
    /// impl Layer for Scale {
    ///     fn forward(&self, g: &mut Graph, x: Value, _mode: Mode) -> Result<Value> {
    ///         g.layer(&self.id, |g| {
    ///             let factor = g.parameter("factor", [self.features], Init::Constant(1.0))?;
    ///             g.mul(x, factor)
    ///         })
    ///     }
    /// }
    ///
    /// # fn main() -> Result<()> {
    /// let scale = Scale { features: 3, id: LayerId::new() };
    /// let mut g = Graph::new();
    /// let x = g.input("x", [4, 3])?;
    /// let once = scale.forward(&mut g, x, Mode::Train)?;
    /// let twice = scale.forward(&mut g, once, Mode::Train)?;
    /// assert_eq!(g.parameters_of(twice)?.len(), 1);
    /// // A clone is another layer. It needs a scope of its own.
    /// assert!(scale.clone().forward(&mut g, x, Mode::Train).is_err());
    /// # Ok(())
    /// # }
    /// ```
    pub fn layer<T>(&mut self, id: &LayerId, build: impl FnOnce(&mut Graph) -> T) -> T {
        self.applications += 1;
        let outer = self.application.replace(Application { layer: id.0, number: self.applications });
        let result = build(self);
        self.application = outer;
        result
    }

    /// Declares a parameter or a state, or returns the one that the current layer declared in an earlier application.
    pub(super) fn declare(&mut self, name: &str, ty: TensorType, source: Source) -> Result<Value> {
        let Some(application) = self.application else { return self.named(name, ty, source) };
        let existing = self.names.get(name).copied();
        let declared = existing.and_then(|value| Some((value, *self.declared_by.get(&value)?)));
        let value = match declared {
            // A name that is declared twice in one application means two tensors, and is refused.
            Some((value, earlier)) if earlier.layer == application.layer && earlier != application => {
                self.check_same(value, name, &ty, &source)?;
                value
            }
            _ => self.named(name, ty, source)?,
        };
        self.declared_by.insert(value, application);
        Ok(self.newest(value))
    }

    /// Fails unless the layer declares this value as it did before.
    fn check_same(&self, value: Value, name: &str, ty: &TensorType, source: &Source) -> Result<()> {
        let info = self.info(value);
        let same = match (&info.source, source) {
            (Source::Parameter(before), Source::Parameter(now)) => before == now,
            (
                Source::State { init: before, in_state_dict: in_file },
                Source::State { init: now, in_state_dict },
            ) => before == now && in_file == in_state_dict,
            _ => false,
        };
        if same && info.ty == *ty {
            return Ok(());
        }
        Err(Error::Graph(format!(
            "a layer declares \"{name}\" {ty} but declared it as {} when it was applied before; a layer must keep its shapes and initial values",
            info.ty
        )))
    }
}
