//! Keeps the weights of the best epoch.

use super::{Begin, Callback, EpochEnd, Flow, figure, is_better};
use crate::error::Result;
use crate::file;
use crate::optim::Preferred;
use std::path::PathBuf;

/// Saves the weights after each epoch that is the best of its run so far.
///
/// ```
/// use wgrad::optim::Preferred;
/// use wgrad::train::BestWeights;
///
/// let best = BestWeights::new("best.safetensors", "loss", Preferred::Smaller);
/// ```
#[derive(Clone, PartialEq, Debug)]
pub struct BestWeights {
    path: PathBuf,
    name: String,
    preferred: Preferred,
    best: Option<f64>,
}

impl BestWeights {
    /// Saves to `path` by the figure `name` ([`Epoch::figure`](crate::train::Epoch::figure)). Of equal epochs the first
    /// is kept.
    pub fn new(path: impl Into<PathBuf>, name: impl Into<String>, preferred: Preferred) -> Self {
        BestWeights { path: path.into(), name: name.into(), preferred, best: None }
    }
}

impl Callback for BestWeights {
    fn begin(&mut self, begin: &Begin) -> Result<Flow> {
        begin.check_figure(&self.name, "best weights")?;
        self.best = None;
        for epoch in &begin.earlier {
            let figure = figure(epoch, &self.name, "best weights")?;
            if is_better(figure, self.best, self.preferred) {
                self.best = Some(figure);
            }
        }
        file::check_writable(&self.path)?;
        Ok(Flow::Continue)
    }

    fn epoch(&mut self, end: &EpochEnd<'_>) -> Result<Flow> {
        let figure = figure(end.epoch, &self.name, "best weights")?;
        if is_better(figure, self.best, self.preferred) {
            self.best = Some(figure);
            end.weights.save(&self.path)?;
        }
        Ok(Flow::Continue)
    }
}
