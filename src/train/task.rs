//! What is trained: a network and its loss over the fields of a data set.

use crate::error::{Error, Result};
use crate::graph::{Graph, Mode, Value};
use crate::nn::Layer;
use std::fmt;

/// The inputs of a graph that hold a batch, one for each field of the data set.
#[derive(Clone, Debug)]
pub struct Fields {
    fields: Vec<(String, Value)>,
}

impl Fields {
    pub(super) fn new(fields: Vec<(String, Value)>) -> Fields {
        Fields { fields }
    }

    /// The input of this name.
    ///
    /// # Errors
    /// A name that the data set has not; the error lists those that it has.
    pub fn get(&self, name: &str) -> Result<Value> {
        let found = self.fields.iter().find(|(field, _)| field == name);
        found.map(|&(_, value)| value).ok_or_else(|| {
            let names: Vec<&str> = self.fields.iter().map(|(name, _)| name.as_str()).collect();
            Error::Graph(format!("the data set has no field \"{name}\"; it has {}", names.join(", ")))
        })
    }

    /// The input of field number `index`.
    ///
    /// # Errors
    /// A data set of fewer fields.
    pub fn at(&self, index: usize) -> Result<Value> {
        self.fields.get(index).map(|&(_, value)| value).ok_or_else(|| {
            let count = self.fields.len();
            Error::Graph(format!("the data set has {count} fields, expected at least {}", index + 1))
        })
    }
}

/// A prediction and its loss.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Forward {
    /// What the network predicts.
    pub prediction: Value,
    /// The mean loss of the batch, a scalar.
    pub loss: Value,
}

/// What a [`Trainer`](super::Trainer) trains: how a graph predicts from the fields of a data set, and by which loss.
///
/// [`Supervised`] is a network and a loss of its output. Implement the trait where that is too little, for example for
/// a network that is applied to several inputs:
///
/// ```
/// use wgrad::nn::{self, Layer};
/// use wgrad::train::{Fields, Task};
/// use wgrad::{Graph, Mode, Result, Value};
///
/// /// Embeds pictures so that those of one class lie close together.
/// #[derive(Debug)]
/// struct Triplet(nn::Sequential);
///
/// impl Task for Triplet {
///     fn predict(&self, g: &mut Graph, fields: &Fields, mode: Mode) -> Result<Value> {
///         self.0.forward(g, fields.get("anchor")?, mode)
///     }
///
///     fn loss(&self, g: &mut Graph, fields: &Fields, anchor: Value, mode: Mode) -> Result<Value> {
///         let positive = self.0.forward(g, fields.get("positive")?, mode)?;
///         let negative = self.0.forward(g, fields.get("negative")?, mode)?;
///         g.triplet_margin_loss(anchor, positive, negative)
///     }
/// }
/// ```
pub trait Task: fmt::Debug + Send + Sync {
    /// Appends the network, and returns its prediction; the first dimension is the batch.
    ///
    /// # Errors
    /// Those of layers and operators.
    fn predict(&self, g: &mut Graph, fields: &Fields, mode: Mode) -> Result<Value>;

    /// Appends the loss of a prediction: a scalar, the mean over the batch.
    ///
    /// # Errors
    /// Those of operators.
    fn loss(&self, g: &mut Graph, fields: &Fields, prediction: Value, mode: Mode) -> Result<Value>;

    /// Appends both. Write this one where the loss needs more of the network than its prediction, or where training
    /// changes targets too, as mixup does.
    ///
    /// # Errors
    /// Those of [`Task::predict`] and [`Task::loss`].
    fn forward(&self, g: &mut Graph, fields: &Fields, mode: Mode) -> Result<Forward> {
        let prediction = self.predict(g, fields, mode)?;
        let loss = self.loss(g, fields, prediction, mode)?;
        Ok(Forward { prediction, loss })
    }

    /// What metrics compare the prediction with: the second field, unless there is none.
    fn target(&self, fields: &Fields) -> Option<Value> {
        fields.at(1).ok()
    }

    /// Whether samples whose target is an ignored label add nothing to the loss, which then is a mean over the others.
    fn ignores_padding(&self) -> bool {
        false
    }
}

type Loss = dyn Fn(&mut Graph, Value, Value) -> Result<Value> + Send + Sync;
type Prepare = dyn Fn(&mut Graph, Value, Mode) -> Result<Value> + Send + Sync;

/// A network of the first field, and a loss of its output and the second field.
pub struct Supervised {
    network: Box<dyn Layer>,
    loss: Box<Loss>,
    prepare: Option<Box<Prepare>>,
    labels: bool,
}

impl fmt::Debug for Supervised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Supervised").field("network", &self.network).finish_non_exhaustive()
    }
}

impl Supervised {
    /// A network and a loss of prediction and target.
    pub fn new(
        network: impl Layer + 'static,
        loss: impl Fn(&mut Graph, Value, Value) -> Result<Value> + Send + Sync + 'static,
    ) -> Self {
        Supervised { network: Box::new(network), loss: Box::new(loss), prepare: None, labels: false }
    }

    /// A network that makes logits `[n, classes]` or `[n, classes, ...]`, and the cross-entropy with its labels.
    pub fn classifier(network: impl Layer + 'static) -> Self {
        Supervised {
            labels: true,
            ..Supervised::new(network, |g, logits, labels| g.cross_entropy(logits, labels))
        }
    }

    /// Adds nodes in front of the network: normalisation, and in [`Mode::Train`] augmentation. The function takes the
    /// first field as f32.
    #[must_use]
    pub fn prepare(
        mut self,
        prepare: impl Fn(&mut Graph, Value, Mode) -> Result<Value> + Send + Sync + 'static,
    ) -> Self {
        self.prepare = Some(Box::new(prepare));
        self
    }
}

impl Task for Supervised {
    fn predict(&self, g: &mut Graph, fields: &Fields, mode: Mode) -> Result<Value> {
        let mut x = fields.at(0)?;
        if let Some(prepare) = &self.prepare {
            x = prepare(g, x, mode)?;
        }
        self.network.forward(g, x, mode)
    }

    fn loss(&self, g: &mut Graph, fields: &Fields, prediction: Value, _mode: Mode) -> Result<Value> {
        (self.loss)(g, prediction, fields.at(1)?)
    }

    fn ignores_padding(&self) -> bool {
        self.labels
    }
}
