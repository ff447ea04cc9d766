//! Callbacks: what is told of a run while it goes on, and may end it.
//!
//! Each file has one: a line for each epoch, early stopping, the best weights, tables, and with features a progress
//! bar, curves and event files.

mod best;
mod csv;
#[cfg(feature = "curves")]
mod curves;
mod early_stopping;
mod lines;
#[cfg(feature = "progress")]
mod progress_bar;
mod tensorboard;

pub use best::BestWeights;
pub use csv::Csv;
#[cfg(feature = "curves")]
pub use curves::Curves;
pub use early_stopping::EarlyStopping;
pub use lines::Lines;
#[cfg(feature = "progress")]
pub use progress_bar::ProgressBar;
pub use tensorboard::TensorBoard;

use super::history::{Epoch, History};
use crate::error::{Error, Result};
use crate::optim::Preferred;
use crate::weights::Weights;
use std::fmt;

/// Whether a run goes on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Flow {
    /// It does.
    Continue,
    /// It ends after this epoch, for this reason.
    Stop(String),
}

/// A run that begins.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Begin {
    /// Epochs of the whole run.
    pub epochs: u64,
    /// Steps of an epoch.
    pub steps_per_epoch: u64,
    /// Steps of the whole run.
    pub steps: u64,
    /// Steps that were run before, if the run is resumed.
    pub first_step: u64,
    /// Samples of a batch.
    pub batch_size: usize,
    /// What a sample is called ([`Trainer::unit`](super::Trainer::unit)).
    pub unit: String,
    /// Epochs that were run before, if the run is resumed.
    pub earlier: Vec<Epoch>,
    /// Names of the figures that each epoch will have ([`Epoch::figure`]).
    pub figures: Vec<String>,
}

/// How far a run is, a few times a second.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Progress<'a> {
    /// Number of the epoch, from 1.
    pub epoch: u64,
    /// Steps of the run so far.
    pub step: u64,
    /// Losses of the steps since the last call, oldest first.
    pub losses: &'a [f32],
    /// The learning rate of the last step.
    pub learning_rate: f64,
    /// Samples a second, once enough steps have been run to say.
    pub samples_per_second: Option<f64>,
}

/// The end of an epoch.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct EpochEnd<'a> {
    /// The epoch.
    pub epoch: &'a Epoch,
    /// Epochs of the whole run.
    pub epochs: u64,
    /// The weights, to save or to look at: the averaged ones if those are evaluated.
    pub weights: &'a Weights,
    /// The run so far, this epoch included.
    pub history: &'a History,
}

impl EpochEnd<'_> {
    /// A line of text: number, losses, figures.
    pub fn line(&self) -> String {
        let evaluation =
            self.epoch.evaluation.as_ref().map_or_else(String::new, |found| format!("; {found}"));
        let Epoch { number, training_loss, .. } = self.epoch;
        format!("epoch {number}/{}: mean training loss {training_loss:.4}{evaluation}", self.epochs)
    }
}

/// Something that is told of a run. Every method does nothing unless it is written.
pub trait Callback: fmt::Debug + Send {
    /// The run begins or is resumed. It may end here, if the epochs before say so.
    ///
    /// # Errors
    /// An error ends the run.
    fn begin(&mut self, _begin: &Begin) -> Result<Flow> {
        Ok(Flow::Continue)
    }

    /// Steps have been run.
    ///
    /// # Errors
    /// An error ends the run.
    fn progress(&mut self, _progress: &Progress<'_>) -> Result<()> {
        Ok(())
    }

    /// An epoch has been run and evaluated.
    ///
    /// # Errors
    /// An error ends the run.
    fn epoch(&mut self, _end: &EpochEnd<'_>) -> Result<Flow> {
        Ok(Flow::Continue)
    }

    /// The run has ended, also by an error, even of [`Callback::begin`].
    ///
    /// # Errors
    /// The run's own error comes first.
    fn end(&mut self, _history: &History) -> Result<()> {
        Ok(())
    }
}

/// Whether `figure` is better than the best so far; NaN never is.
fn is_better(figure: f64, best: Option<f64>, preferred: Preferred) -> bool {
    let Some(best) = best else { return !figure.is_nan() };
    match preferred {
        Preferred::Smaller => figure < best,
        Preferred::Larger => figure > best,
    }
}

/// The figure of this name.
fn figure(epoch: &Epoch, name: &str, callback: &'static str) -> Result<f64> {
    epoch.figure(name).ok_or_else(|| {
        let message =
            format!("epoch {} has no figure \"{name}\"; a run with other metrics made it", epoch.number);
        Error::Setting { setting: callback, message }
    })
}

impl Begin {
    /// Fails unless each epoch will have a figure of this name.
    ///
    /// # Errors
    /// A message with the figures that there are.
    pub fn check_figure(&self, name: &str, callback: &'static str) -> Result<()> {
        if self.figures.iter().any(|figure| figure == name) {
            return Ok(());
        }
        let known = self.figures.join(", ");
        let message = format!(
            "there is no figure \"{name}\"; there are {known}; metrics and data to evaluate with make more"
        );
        Err(Error::Setting { setting: callback, message })
    }
}
