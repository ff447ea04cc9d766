//! What is trained: a network and its loss over the fields of a data set.

use crate::error::{Error, Result};
use crate::graph::{Graph, Mode, Value};
use crate::nn::{Augment, Layer};
use std::fmt;

/// The inputs of a graph that hold a batch, one for each field of the data set.
#[derive(Clone, Debug)]
pub struct Fields {
    fields: Vec<Named>,
}

/// A field's input, and its value as floats where the input has bytes.
#[derive(Clone, Debug)]
pub(super) struct Named {
    pub name: String,
    pub input: Value,
    pub value: Value,
}

impl Fields {
    pub(super) fn new(fields: Vec<Named>) -> Fields {
        Fields { fields }
    }

    /// The input of this name; bytes as floats, each over 255.
    ///
    /// # Errors
    /// A name that the data set has not; the error lists those that it has.
    pub fn get(&self, name: &str) -> Result<Value> {
        self.named(name).map(|field| field.value)
    }

    /// The input of this name as it is: u8 where the data set has bytes, as [`Augment`] takes them.
    ///
    /// # Errors
    /// As [`Fields::get`].
    pub fn raw(&self, name: &str) -> Result<Value> {
        self.named(name).map(|field| field.input)
    }

    /// [`Fields::get`] of field number `index`.
    ///
    /// # Errors
    /// A data set of fewer fields.
    pub fn at(&self, index: usize) -> Result<Value> {
        self.numbered(index).map(|field| field.value)
    }

    fn named(&self, name: &str) -> Result<&Named> {
        self.fields.iter().find(|field| field.name == name).ok_or_else(|| {
            let names: Vec<&str> = self.fields.iter().map(|field| field.name.as_str()).collect();
            Error::Graph(format!("the data set has no field \"{name}\"; it has {}", names.join(", ")))
        })
    }

    fn numbered(&self, index: usize) -> Result<&Named> {
        self.fields.get(index).ok_or_else(|| {
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
    augment: Option<Augment>,
    prepare: Option<Box<Prepare>>,
    mix: Option<Mix>,
    labels: bool,
}

/// Mixing of samples and labels in training.
#[derive(Clone, Copy, Debug)]
struct Mix {
    cut: bool,
    alpha: f64,
    seed: u64,
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
        Supervised {
            network: Box::new(network),
            loss: Box::new(loss),
            augment: None,
            prepare: None,
            mix: None,
            labels: false,
        }
    }

    /// A network that makes logits `[n, classes]` or `[n, classes, ...]`, and the cross-entropy with its labels.
    pub fn classifier(network: impl Layer + 'static) -> Self {
        Supervised {
            labels: true,
            ..Supervised::new(network, |g, logits, labels| g.cross_entropy(logits, labels))
        }
    }

    /// Augments the first field, which is images (N, C, H, W) of bytes or floats.
    ///
    /// ```
    /// use wgrad::train::Supervised;
    /// use wgrad::{nn, nn::Augment};
    ///
    /// let augment = Augment::new(42).random_crop([32, 32], 4).flip(0.5);
    /// let task = Supervised::classifier(nn::models::resnet18(3, 10)).augment(augment).mixup(0.2, 42);
    /// ```
    #[must_use]
    pub fn augment(mut self, augment: Augment) -> Self {
        self.augment = Some(augment);
        self
    }

    /// Adds nodes in front of the network, after augmentation: in all modes, or in one. The function takes the first
    /// field as f32.
    #[must_use]
    pub fn prepare(
        mut self,
        prepare: impl Fn(&mut Graph, Value, Mode) -> Result<Value> + Send + Sync + 'static,
    ) -> Self {
        self.prepare = Some(Box::new(prepare));
        self
    }

    /// Mixes samples and labels in training by [`Graph::mixup`], with the cross-entropy of probabilities for a loss. For
    /// a classifier whose labels are `[n]`; rows of ignored labels add zero to the mean. Metrics that follow training
    /// compare with the labels that were not mixed.
    #[must_use]
    pub fn mixup(mut self, alpha: f64, seed: u64) -> Self {
        self.mix = Some(Mix { cut: false, alpha, seed });
        self
    }

    /// [`Supervised::mixup`] by [`Graph::cutmix`].
    #[must_use]
    pub fn cutmix(mut self, alpha: f64, seed: u64) -> Self {
        self.mix = Some(Mix { cut: true, alpha, seed });
        self
    }

    /// What the network is applied to, unless it is mixed.
    fn prepared(&self, g: &mut Graph, fields: &Fields, mode: Mode) -> Result<Value> {
        let x = match &self.augment {
            Some(augment) => augment.apply(g, fields.numbered(0)?.input, mode)?,
            None => fields.at(0)?,
        };
        match &self.prepare {
            Some(prepare) => prepare(g, x, mode),
            None => Ok(x),
        }
    }
}

impl Task for Supervised {
    fn predict(&self, g: &mut Graph, fields: &Fields, mode: Mode) -> Result<Value> {
        let x = self.prepared(g, fields, mode)?;
        self.network.forward(g, x, mode)
    }

    fn loss(&self, g: &mut Graph, fields: &Fields, prediction: Value, _mode: Mode) -> Result<Value> {
        (self.loss)(g, prediction, fields.at(1)?)
    }

    fn forward(&self, g: &mut Graph, fields: &Fields, mode: Mode) -> Result<Forward> {
        let Some(Mix { cut, alpha, seed }) = self.mix.filter(|_| mode == Mode::Train) else {
            let prediction = self.predict(g, fields, mode)?;
            return Ok(Forward { prediction, loss: self.loss(g, fields, prediction, mode)? });
        };
        let error = |message: String| Err(Error::Setting { setting: "mixup", message });
        if !self.labels {
            return error(
                "only Supervised::classifier has labels to mix; mix others in a Task of your own".into(),
            );
        }
        let x = self.prepared(g, fields, mode)?;
        let mixed = g.mix_images(x, cut, alpha, seed)?;
        let prediction = self.network.forward(g, mixed.images, mode)?;
        let labels = fields.at(1)?;
        let (&[_, classes], 1) = (&g.shape(prediction)?[..], g.shape(labels)?.len()) else {
            let [logits, labels] = [g.shape(prediction)?, g.shape(labels)?];
            return error(format!("expects logits [n, classes] and labels [n], found {logits} and {labels}"));
        };
        let targets = g.one_hot(labels, classes)?;
        let targets = g.mix_labels(&mixed, targets)?;
        Ok(Forward { prediction, loss: g.cross_entropy_of_probabilities(prediction, targets)? })
    }

    fn ignores_padding(&self) -> bool {
        self.labels
    }
}
