//! Normalisation layers: over batches, over rows, over neighbouring channels.

use super::Layer;
use crate::error::Result;
use crate::graph::{Graph, Init, LayerId, Mode, Value};
use crate::ops::batch_norm::{Momentum, Running};
use crate::ops::local_response_norm::LocalResponseNormOptions;
use crate::tensor::Shape;

/// Normalises each channel over the batch, and over the image if there is one. Input: \[n, channels] or \[n,
/// channels, h, w], as PyTorch's `BatchNorm1d` and `BatchNorm2d`.
///
/// Parameters: `weight` and `bias` \[channels], initially ones and zeros. State: `running_mean` and
/// `running_var` \[channels], initially zeros and ones; training updates them, evaluation uses them. With
/// [`BatchNorm::cumulative_average`] there is also `num_batches_tracked`. Without it, the layer does not keep
/// that count, and a PyTorch file's is ignored.
///
/// ```
/// # fn main() -> wgrad::Result<()> {
/// use wgrad::{Graph, Mode, nn, nn::Layer};
///
/// let norm = nn::Sequential::new().add("bn", nn::BatchNorm::new(16).momentum(0.05));
/// let mut g = Graph::new();
/// let x = g.input("x", [8, 16, 32, 32])?;
/// norm.forward(&mut g, x, Mode::Train)?;
/// assert!(g.find("bn.weight").is_some() && g.find("bn.running_mean").is_some());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, PartialEq, Debug)]
pub struct BatchNorm {
    channels: usize,
    eps: f32,
    /// `None` makes plain averages.
    momentum: Option<f32>,
    affine: bool,
    track_running_stats: bool,
    frozen_statistics: bool,
    frozen_parameters: bool,
    id: LayerId,
}

impl BatchNorm {
    /// Batch norm with PyTorch's defaults: epsilon 1e-5, momentum 0.1, affine, running statistics tracked.
    pub fn new(channels: usize) -> Self {
        BatchNorm {
            channels,
            eps: 1e-5,
            momentum: Some(0.1),
            affine: true,
            track_running_stats: true,
            frozen_statistics: false,
            frozen_parameters: false,
            id: LayerId::new(),
        }
    }

    setters! {
        /// Sets epsilon, which is added to the variance under the root. 1e-5 by default.
        eps: f32;
    }

    /// Sets the weight of a batch's statistics in the running ones, 0.1 by default.
    #[must_use]
    pub fn momentum(mut self, momentum: f32) -> Self {
        self.momentum = Some(momentum);
        self
    }

    /// Makes running statistics plain averages over all batches, as PyTorch's `momentum=None`.
    #[must_use]
    pub fn cumulative_average(mut self) -> Self {
        self.momentum = None;
        self
    }

    setters! {
        /// Sets whether there are a weight and a bias. On by default.
        affine: bool;
        /// Sets whether there are running statistics. Without them, evaluation uses the batch's own. On by
        /// default.
        track_running_stats: bool;
    }

    /// Uses the running statistics in training too and does not update them, for example to fine-tune a
    /// pretrained network.
    #[must_use]
    pub fn freeze_statistics(mut self) -> Self {
        self.frozen_statistics = true;
        self
    }

    /// Turns weight and bias into state: files hold them, and optimizers do not train them.
    #[must_use]
    pub fn freeze_parameters(mut self) -> Self {
        self.frozen_parameters = true;
        self
    }
}

impl Layer for BatchNorm {
    fn forward(&self, g: &mut Graph, x: Value, mode: Mode) -> Result<Value> {
        if !self.track_running_stats && self.frozen_statistics {
            let message = "there are no running statistics to freeze; leave track_running_stats on";
            return Err(g.refusal("batch_norm", message.into()));
        }
        let mode = if self.frozen_statistics || g.keeps_statistics() { Mode::Eval } else { mode };
        let (affine, running) = g.layer(&self.id, |g| self.declare(g, mode))?;
        g.batch_norm(x, affine, running, self.eps, mode)
    }
}

impl BatchNorm {
    /// Weight and bias, and the running statistics.
    fn declare(&self, g: &mut Graph, mode: Mode) -> Result<(Option<[Value; 2]>, Option<Running>)> {
        let shape = [self.channels];
        let parameter = |g: &mut Graph, name: &str, first: f32| {
            if self.frozen_parameters {
                g.state(name, shape, Init::Constant(first), true)
            } else {
                g.parameter(name, shape, Init::Constant(first))
            }
        };
        let affine = match self.affine {
            true => Some([parameter(g, "weight", 1.0)?, parameter(g, "bias", 0.0)?]),
            false => None,
        };
        if !self.track_running_stats {
            return Ok((affine, None));
        }
        let running = Running {
            mean: g.state("running_mean", shape, Init::Constant(0.0), true)?,
            variance: g.state("running_var", shape, Init::Constant(1.0), true)?,
            momentum: match self.momentum {
                _ if mode == Mode::Population => {
                    let zero = Init::Constant(0.0);
                    Momentum::Cumulative(g.state("population_batches", Shape::scalar(), zero, false)?)
                }
                Some(share) => Momentum::Share(share),
                None => {
                    let zero = Init::Constant(0.0);
                    Momentum::Cumulative(g.state("num_batches_tracked", Shape::scalar(), zero, true)?)
                }
            },
        };
        Ok((affine, Some(running)))
    }
}

/// Normalises each row of the last dimensions by its own mean and variance, as PyTorch's `LayerNorm`. Input:
/// \[..., normalized_shape].
///
/// Parameters: `weight` and `bias` of the normalized shape, initially ones and zeros.
///
/// ```
/// # fn main() -> wgrad::Result<()> {
/// use wgrad::{Graph, Mode, nn, nn::Layer};
///
/// let mut g = Graph::new();
/// let x = g.input("x", [8, 100, 64])?;
/// let y = nn::LayerNorm::new([64]).forward(&mut g, x, Mode::Train)?; // each row of 64
/// assert_eq!(g.shape(y)?, g.shape(x)?);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, PartialEq, Debug)]
pub struct LayerNorm {
    normalized_shape: Shape,
    eps: f32,
    affine: bool,
    bias: bool,
    id: LayerId,
}

impl LayerNorm {
    /// Layer norm over last dimensions of these sizes, with PyTorch's defaults: epsilon 1e-5, weight and
    /// bias.
    pub fn new(normalized_shape: impl Into<Shape>) -> Self {
        LayerNorm {
            normalized_shape: normalized_shape.into(),
            eps: 1e-5,
            affine: true,
            bias: true,
            id: LayerId::new(),
        }
    }

    setters! {
        /// Sets epsilon, which is added to the variance under the root. 1e-5 by default.
        eps: f32;
        /// Sets whether there are a weight and a bias, PyTorch's `elementwise_affine`. On by default.
        affine: bool;
        /// Sets whether there is a bias in addition to the weight. On by default.
        bias: bool;
    }
}

impl Layer for LayerNorm {
    fn forward(&self, g: &mut Graph, x: Value, _mode: Mode) -> Result<Value> {
        let shape = &self.normalized_shape;
        let (weight, bias) = affine(g, &self.id, shape, self.affine, self.affine && self.bias)?;
        g.layer_norm(x, shape.clone(), weight, bias, self.eps)
    }
}

/// Normalises groups of neighbouring channels of each sample by their own mean and variance, as PyTorch's
/// `GroupNorm`. Input: \[n, channels, ...].
///
/// Parameters: `weight` and `bias` \[channels], initially ones and zeros.
#[derive(Clone, PartialEq, Debug)]
pub struct GroupNorm {
    groups: usize,
    channels: usize,
    eps: f32,
    affine: bool,
    id: LayerId,
}

impl GroupNorm {
    /// Group norm with PyTorch's defaults: epsilon 1e-5, affine.
    pub fn new(groups: usize, channels: usize) -> Self {
        GroupNorm { groups, channels, eps: 1e-5, affine: true, id: LayerId::new() }
    }

    setters! {
        /// Sets epsilon, which is added to the variance under the root. 1e-5 by default.
        eps: f32;
        /// Sets whether there are a weight and a bias. On by default.
        affine: bool;
    }
}

impl Layer for GroupNorm {
    fn forward(&self, g: &mut Graph, x: Value, _mode: Mode) -> Result<Value> {
        let shape = Shape::from([self.channels]);
        let (weight, bias) = affine(g, &self.id, &shape, self.affine, self.affine)?;
        g.group_norm(x, self.groups, weight, bias, self.eps)
    }
}

/// Normalises each channel of each sample by its own mean and variance, in training and evaluation alike, as
/// PyTorch's `InstanceNorm1d` and `InstanceNorm2d` without running statistics. Input: \[n, channels, ...].
///
/// Parameters, only if affine: `weight` and `bias` \[channels], initially ones and zeros.
#[derive(Clone, PartialEq, Debug)]
pub struct InstanceNorm {
    channels: usize,
    eps: f32,
    affine: bool,
    id: LayerId,
}

impl InstanceNorm {
    /// Instance norm with PyTorch's defaults: epsilon 1e-5, not affine.
    pub fn new(channels: usize) -> Self {
        InstanceNorm { channels, eps: 1e-5, affine: false, id: LayerId::new() }
    }

    setters! {
        /// Sets epsilon, which is added to the variance under the root. 1e-5 by default.
        eps: f32;
        /// Sets whether there are a weight and a bias. Off by default.
        affine: bool;
    }
}

impl Layer for InstanceNorm {
    fn forward(&self, g: &mut Graph, x: Value, _mode: Mode) -> Result<Value> {
        let shape = Shape::from([self.channels]);
        let (weight, bias) = affine(g, &self.id, &shape, self.affine, self.affine)?;
        g.instance_norm(x, weight, bias, self.eps)
    }
}

/// Divides each element by a power of the squares of its neighbours in other channels, as PyTorch's
/// `LocalResponseNorm`. Input: \[n, channels, ...]. No parameters.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct LocalResponseNorm(LocalResponseNormOptions);

impl LocalResponseNorm {
    /// Windows of `size` channels, with PyTorch's defaults: alpha 1e-4, beta 0.75, k 1.
    pub fn new(size: usize) -> Self {
        LocalResponseNorm(LocalResponseNormOptions::new(size))
    }

    /// Sets the factor of the mean of squares, 1e-4 by default.
    #[must_use]
    pub fn alpha(self, alpha: f32) -> Self {
        LocalResponseNorm(self.0.alpha(alpha))
    }

    /// Sets the exponent, 0.75 by default.
    #[must_use]
    pub fn beta(self, beta: f32) -> Self {
        LocalResponseNorm(self.0.beta(beta))
    }

    /// Sets what is added to the squares, 1 by default.
    #[must_use]
    pub fn k(self, k: f32) -> Self {
        LocalResponseNorm(self.0.k(k))
    }
}

impl Layer for LocalResponseNorm {
    fn forward(&self, g: &mut Graph, x: Value, _mode: Mode) -> Result<Value> {
        g.local_response_norm(x, self.0)
    }
}

/// Weight and bias of the layer `id`, where it has them.
fn affine(
    g: &mut Graph,
    id: &LayerId,
    shape: &Shape,
    weight: bool,
    bias: bool,
) -> Result<(Option<Value>, Option<Value>)> {
    g.layer(id, |g| {
        let mut declare = |there: bool, name: &str, first: f32| {
            there.then(|| g.parameter(name, shape.clone(), Init::Constant(first))).transpose()
        };
        Ok((declare(weight, "weight", 1.0)?, declare(bias, "bias", 0.0)?))
    })
}
