//! Ends a run that does not get better any more.

use super::{Begin, Callback, EpochEnd, Flow, figure, is_better};
use crate::error::Result;
use crate::optim::Preferred;

/// Ends the run once a figure has not improved for a number of epochs.
///
/// ```
/// use wgrad::optim::Preferred;
/// use wgrad::train::EarlyStopping;
///
/// let stop = EarlyStopping::new("accuracy", Preferred::Larger, 3);
/// ```
#[derive(Clone, PartialEq, Debug)]
pub struct EarlyStopping {
    name: String,
    preferred: Preferred,
    patience: u64,
    best: Option<f64>,
    bad: u64,
}

impl EarlyStopping {
    /// Watches the figure `name` of each epoch ([`Epoch::figure`](crate::train::Epoch::figure)). The run ends after
    /// `patience` epochs in a row that are no better than the best.
    pub fn new(name: impl Into<String>, preferred: Preferred, patience: u64) -> Self {
        EarlyStopping { name: name.into(), preferred, patience, best: None, bad: 0 }
    }
}

impl Callback for EarlyStopping {
    fn begin(&mut self, begin: &Begin) -> Result<Flow> {
        begin.check_figure(&self.name, "early stopping")?;
        (self.best, self.bad) = (None, 0);
        // Epochs of a run that is resumed count too.
        for epoch in &begin.earlier {
            self.take(figure(epoch, &self.name, "early stopping")?);
        }
        Ok(self.flow())
    }

    fn epoch(&mut self, end: &EpochEnd<'_>) -> Result<Flow> {
        self.take(figure(end.epoch, &self.name, "early stopping")?);
        Ok(self.flow())
    }
}

impl EarlyStopping {
    fn flow(&self) -> Flow {
        if self.bad < self.patience.max(1) {
            return Flow::Continue;
        }
        let best = self.best.map_or_else(|| "never a number".to_owned(), |best| format!("best {best:.4}"));
        Flow::Stop(format!("{} has not improved for {} epochs ({best})", self.name, self.bad))
    }

    fn take(&mut self, figure: f64) {
        if is_better(figure, self.best, self.preferred) {
            (self.best, self.bad) = (Some(figure), 0);
        } else {
            self.bad += 1;
        }
    }
}
