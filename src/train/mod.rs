//! The training loop: sessions, epochs, evaluation, metrics, callbacks, checkpoints.
//!
//! A [`Trainer`] takes what is trained ([`Task`]), an optimizer, a schedule and data, and makes the sessions itself.
//! `fit.rs` runs epochs, `evaluate.rs` evaluates, `found.rs` adds up what it found, `predict.rs` predicts, `graphs.rs`
//! builds the graphs, `feed.rs` brings batches to a session, `ranks.rs` shares a run with others, `resume.rs` has what a
//! checkpoint says. Metrics and callbacks have folders of their own.
//!
//! Nothing here is needed to train: a loop by hand uses a [`Session`](crate::Session) in the same way.

mod callbacks;
mod check;
mod clock;
mod evaluate;
mod feed;
mod fit;
mod found;
mod graphs;
mod history;
mod metrics;
mod population;
mod predict;
mod ranks;
mod rate;
mod report;
mod resume;
mod settings;
mod task;

#[cfg(feature = "curves")]
pub use callbacks::Curves;
#[cfg(feature = "progress")]
pub use callbacks::ProgressBar;
pub use callbacks::{
    Begin, BestWeights, Callback, Csv, EarlyStopping, EpochEnd, Flow, Lines, Progress, TensorBoard,
};
pub use history::{Epoch, Evaluation, History};
pub use metrics::{Accuracy, Confusion, ConfusionMatrix, Mean, Metric, Seen, TopK};
pub use predict::Mistake;
pub use task::{Fields, Forward, Supervised, Task};

use crate::device::Device;
use crate::error::{Error, Result};
use crate::graph::{Graph, Value};
use crate::plan::{PlanOptions, Watch};
use crate::weights::Weights;
use evaluate::Evaluators;
use ranks::Ranks;
use rate::{Rate, Scalars};
use settings::{Every, Settings};
use std::fmt;
use std::path::PathBuf;

type Optimize = dyn Fn(&mut Graph, Value, Value) -> Result<()> + Send + Sync;
type Start = dyn Fn(&Weights) -> Result<()> + Send + Sync;

/// Trains, evaluates and predicts with a network.
///
/// ```no_run
/// # fn main() -> wgrad::Result<()> {
/// use wgrad::data::{Images, Split};
/// use wgrad::optim::{AdamW, Schedule};
/// use wgrad::train::{Accuracy, Supervised, Trainer};
/// use wgrad::{Device, nn};
///
/// let net = nn::Sequential::new()
///     .add("conv", nn::Conv2d::new(1, 8, [3, 3]))
///     .add("relu", nn::Relu)
///     .add("pool", nn::GlobalAvgPool2d)
///     .add("fc", nn::Linear::new(8, 10));
/// let [train, test] = [Split::Train, Split::Test].map(|split| Images::load("mnist", split));
/// let (train, test) = (train?, test?);
///
/// let mut trainer = Trainer::new(&Device::open()?, Supervised::classifier(net))
///     .optimizer(|g, loss, rate| AdamW::new(rate).minimize(g, loss))
///     .schedule(|steps| Schedule::cosine(0.001, steps, 0.0))
///     .batch_size(64)
///     .epochs(3)
///     .metric(Accuracy);
/// let history = trainer.fit(&train, Some(&test))?;
/// println!("{:?}", history.evaluation());
/// trainer.weights()?.save("mnist.safetensors")?;
/// # Ok(())
/// # }
/// ```
pub struct Trainer {
    device: Device,
    task: Box<dyn Task>,
    optimizer: Option<Box<Optimize>>,
    rate: Rate,
    scalars: Scalars,
    settings: Settings,
    metrics: Vec<Box<dyn Metric>>,
    followed: Vec<Box<dyn Metric>>,
    callbacks: Vec<Box<dyn Callback>>,
    start: Option<Box<Start>>,
    weights: Option<Weights>,
    ranks: Option<Ranks>,
    evaluators: Evaluators,
}

impl fmt::Debug for Trainer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trainer")
            .field("task", &self.task)
            .field("settings", &self.settings)
            .field("metrics", &self.metrics)
            .field("callbacks", &self.callbacks)
            .finish_non_exhaustive()
    }
}

impl Trainer {
    /// A trainer of a task on a device. It evaluates and predicts as it is, and trains once it has an
    /// [`optimizer`](Trainer::optimizer).
    pub fn new(device: &Device, task: impl Task + 'static) -> Self {
        Trainer {
            device: device.clone(),
            task: Box::new(task),
            optimizer: None,
            rate: Rate::Steps(Box::new(|_| crate::optim::Schedule::constant(0.001))),
            scalars: Scalars::default(),
            settings: Settings::default(),
            metrics: Vec::new(),
            followed: Vec::new(),
            callbacks: Vec::new(),
            start: None,
            weights: None,
            ranks: None,
            evaluators: Evaluators::default(),
        }
    }

    /// Sets how the loss is made smaller. The function takes the graph, the loss, and the learning rate, an input whose
    /// contents the schedule makes.
    ///
    /// ```
    /// use wgrad::optim::{Ema, Sgd};
    /// # use wgrad::train::Trainer;
    /// # fn of(trainer: Trainer) -> Trainer {
    /// trainer.optimizer(|g, loss, rate| Sgd::new(rate).momentum(0.9).average(Ema::new(0.999)).minimize(g, loss))
    /// # }
    /// ```
    #[must_use]
    pub fn optimizer(
        mut self,
        minimize: impl Fn(&mut Graph, Value, Value) -> Result<()> + Send + Sync + 'static,
    ) -> Self {
        self.optimizer = Some(Box::new(minimize));
        self
    }

    /// Sets a constant learning rate; 0.001 by default.
    #[must_use]
    pub fn learning_rate(self, rate: f64) -> Self {
        self.schedule(move |_| crate::optim::Schedule::constant(rate))
    }

    /// Sets the learning rate of each step. The function takes the number of steps of the whole run.
    #[must_use]
    pub fn schedule(
        mut self,
        of: impl Fn(u64) -> Result<crate::optim::Schedule> + Send + Sync + 'static,
    ) -> Self {
        self.rate = Rate::Steps(Box::new(of));
        self
    }

    /// Sets the learning rate of each epoch. The function takes the number of epochs of the whole run.
    #[must_use]
    pub fn schedule_by_epoch(
        mut self,
        of: impl Fn(u64) -> Result<crate::optim::Schedule> + Send + Sync + 'static,
    ) -> Self {
        self.rate = Rate::Epochs(Box::new(of));
        self
    }

    /// Lets the learning rate fall when the loss of the evaluation, or without one the mean training loss, stops
    /// improving.
    #[must_use]
    pub fn plateau(mut self, plateau: crate::optim::Plateau) -> Self {
        self.rate = Rate::Plateau(plateau);
        self
    }

    /// Adds a scalar to the training graph that follows a schedule of its own, beside the learning rate. The optimizer finds
    /// it by name; the function takes the number of steps of the whole run.
    ///
    /// ```
    /// use wgrad::optim::{Lookahead, Schedule, Sgd};
    /// # use wgrad::{Error, train::Trainer};
    /// # fn of(trainer: Trainer) -> Trainer {
    /// trainer
    ///     .scheduled("alpha", |steps| Schedule::linear(1.0, 1.0, 0.1, steps))
    ///     .optimizer(|g, loss, rate| {
    ///         Sgd::new(rate).momentum(0.9).minimize(g, loss)?;
    ///         let alpha = g.find("alpha").ok_or_else(|| Error::Graph("there is no alpha".into()))?;
    ///         Lookahead::new(alpha).apply(g)
    ///     })
    /// # }
    /// ```
    #[must_use]
    pub fn scheduled(
        mut self,
        name: impl Into<String>,
        of: impl Fn(u64) -> Result<crate::optim::Schedule> + Send + Sync + 'static,
    ) -> Self {
        self.scalars.0.push((name.into(), Box::new(of)));
        self
    }

    setters! {
        in settings;
        /// Sets the number of passes over the training data, 1 by default.
        epochs: u64;
        /// Sets the samples of a batch, 32 by default: on all ranks together.
        batch_size: usize;
        /// Sets the seed of initial weights and of the order of samples, 0 by default.
        seed: u64;
        /// Sets the threads that read samples, besides the one that trains. 1 by default; with 0 that one reads them.
        workers: usize;
        /// Sets whether a step is searched for NaN and infinities ([`Watch`]). On by default.
        watch: bool;
        /// Sets whether the averages of the parameters are evaluated and predicted with, in their place. The optimizer
        /// has to keep them. Off by default.
        averaged: bool;
        /// Sets whether at the end of a run batch norm's running statistics become the means over the whole training set,
        /// in place of averages that follow the last batches. The weights are then evaluated once more. Off by default.
        population_statistics: bool;
        /// Sets whether batch norm normalises by the statistics of the whole batch where that is cut into micro-batches
        /// ([`Graph::synchronized_statistics`]), instead of by those of each. Off by default.
        synchronized_statistics: bool;
        /// Sets whether a last, smaller batch of the training data is left out. Otherwise it is filled up with the first
        /// samples of the epoch. Off by default.
        drop_last: bool;
    }

    /// Sets what a sample is called in progress bars and reports, in the plural: `samples` by default.
    #[must_use]
    pub fn unit(mut self, unit: impl Into<String>) -> Self {
        self.settings.unit = unit.into();
        self
    }

    /// Sets how graphs are planned.
    #[must_use]
    pub fn plan(mut self, options: PlanOptions) -> Self {
        self.settings.plan = options;
        self
    }

    /// Ends the run after this many steps, although the schedule spans all epochs.
    #[must_use]
    pub fn max_steps(mut self, steps: impl Into<Option<u64>>) -> Self {
        self.settings.max_steps = steps.into();
        self
    }

    /// Adds a metric, which each evaluation measures.
    #[must_use]
    pub fn metric(mut self, metric: impl Metric + 'static) -> Self {
        self.metrics.push(Box::new(metric));
        self
    }

    /// Adds a metric with a one-element result that is kept for each training step
    /// ([`History::followed`]), without a readback in each.
    #[must_use]
    pub fn follow(mut self, metric: impl Metric + 'static) -> Self {
        self.followed.push(Box::new(metric));
        self
    }

    /// Adds a callback.
    #[must_use]
    pub fn callback(mut self, callback: impl Callback + 'static) -> Self {
        self.callbacks.push(Box::new(callback));
        self
    }

    /// Sets what is done to the initial weights, for example loading a file into them. A trainer that has weights already
    /// begins anew with them.
    #[must_use]
    pub fn start(mut self, start: impl Fn(&Weights) -> Result<()> + Send + Sync + 'static) -> Self {
        self.start = Some(Box::new(start));
        // Weights that there are already did not start so.
        (self.weights, self.evaluators) = (None, Evaluators::default());
        self
    }

    /// Starts from the weights in this file, of [`Weights::save`] or a checkpoint.
    #[must_use]
    pub fn load(self, path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        self.start(move |weights| weights.load(&path))
    }

    /// Writes everything that training resumes from to this file, at the end of each epoch.
    #[must_use]
    pub fn checkpoint(mut self, path: impl Into<PathBuf>) -> Self {
        self.settings.checkpoint = Some((path.into(), Every::Epoch));
        self
    }

    /// Writes a checkpoint at the end of each epoch and after every `steps` steps.
    #[must_use]
    pub fn checkpoint_every(mut self, steps: u64, path: impl Into<PathBuf>) -> Self {
        self.settings.checkpoint = Some((path.into(), Every::Steps(steps)));
        self
    }

    /// Resumes from this checkpoint. The run has to have the settings and the data that it was written with; then each
    /// further step has the bits of an uninterrupted run. Each [`Trainer::fit`] resumes so; evaluations and predictions take the
    /// checkpoint's weights.
    #[must_use]
    pub fn resume(mut self, path: impl Into<PathBuf>) -> Self {
        self.settings.resume = Some((path.into(), true));
        self
    }

    /// As [`Trainer::resume`] if the file is there; otherwise training begins anew. A program that names one file here
    /// and in [`Trainer::checkpoint`] can be started again at any time.
    #[must_use]
    pub fn resume_if_there(mut self, path: impl Into<PathBuf>) -> Self {
        self.settings.resume = Some((path.into(), false));
        self
    }

    /// Adds a setting of the program to checkpoints, under which alone a run resumes, for example a dropout rate.
    #[must_use]
    pub fn setting(mut self, name: impl Into<String>, setting: impl fmt::Display) -> Self {
        self.settings.own.push((name.into(), setting.to_string()));
        self
    }

    /// The weights, trained or loaded.
    ///
    /// # Errors
    /// None yet: the trainer makes them when it first sees data.
    pub fn weights(&self) -> Result<Weights> {
        let weights = self.weights.clone().ok_or_else(|| {
            Error::Graph("the trainer has no weights yet; it makes them when it first sees data".into())
        })?;
        if self.settings.averaged { weights.averaged() } else { Ok(weights) }
    }

    fn plan_options(&self) -> PlanOptions {
        let options = self.settings.plan.clone();
        let options = if self.is_shared() { options.f32_gradients() } else { options };
        if self.settings.watch { options.watch(Watch::new()) } else { options }
    }
}
