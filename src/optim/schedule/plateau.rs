//! A learning rate that falls when a metric stops improving.

use super::check;
use crate::error::Result;

/// Which values of a metric are better.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Preferred {
    /// Smaller ones, as for a loss.
    Smaller,
    /// Larger ones, as for an accuracy.
    Larger,
}

/// Settings of a [`Plateau`]. The defaults are PyTorch's.
#[derive(Clone, PartialEq, Debug)]
pub struct PlateauOptions {
    /// Which values of the metric are better: smaller ones by default.
    pub preferred: Preferred,
    /// Factor that the rate is multiplied by when it falls, at least 0 and below 1; 0.1 by default.
    pub factor: f64,
    /// Number of metrics in a row without improvement before the rate falls at the next, 10 by default.
    pub patience: u64,
    /// How much better a metric must be to count as an improvement, at least 0; 1e-4 by default.
    pub threshold: f64,
    /// Whether the threshold is relative to the best metric. On by default; otherwise it is absolute.
    pub relative: bool,
    /// Number of metrics after a fall that never count as lack of improvement, 0 by default.
    pub cooldown: u64,
    /// The smallest rate, 0 by default.
    pub min_rate: f64,
    /// A change of the rate by no more than this is left out, 1e-8 by default.
    pub eps: f64,
}

impl Default for PlateauOptions {
    fn default() -> Self {
        PlateauOptions {
            preferred: Preferred::Smaller,
            factor: 0.1,
            patience: 10,
            threshold: 1e-4,
            relative: true,
            cooldown: 0,
            min_rate: 0.0,
            eps: 1e-8,
        }
    }
}

/// A learning rate that falls when a metric stops improving: PyTorch's `ReduceLROnPlateau`.
#[derive(Clone, PartialEq, Debug)]
pub struct Plateau {
    options: PlateauOptions,
    rate: f64,
    best: Option<f64>,
    bad: u64,
    cooling: u64,
}

impl Plateau {
    /// Starts with this rate.
    ///
    /// # Errors
    /// A rate that is not above 0 and finite; settings out of range.
    pub fn new(rate: f64, options: PlateauOptions) -> Result<Self> {
        check("rate", rate, rate > 0.0, "above 0")?;
        check("factor", options.factor, (0.0..1.0).contains(&options.factor), "at least 0 and below 1")?;
        for (setting, value) in
            [("threshold", options.threshold), ("min_rate", options.min_rate), ("eps", options.eps)]
        {
            check(setting, value, value >= 0.0, "at least 0")?;
        }
        Ok(Plateau { options, rate, best: None, bad: 0, cooling: 0 })
    }

    /// The current learning rate.
    pub fn rate(&self) -> f64 {
        self.rate
    }

    /// Takes a new metric, of an epoch or an evaluation, and returns the rate from here on. NaN is never an
    /// improvement.
    pub fn step(&mut self, metric: f64) -> f64 {
        if self.is_better(metric) {
            (self.best, self.bad) = (Some(metric), 0);
        } else {
            self.bad += 1;
        }
        if self.cooling > 0 {
            self.cooling -= 1;
            self.bad = 0;
        }
        if self.bad > self.options.patience {
            let lower = (self.rate * self.options.factor).max(self.options.min_rate);
            if self.rate - lower > self.options.eps {
                self.rate = lower;
            }
            (self.cooling, self.bad) = (self.options.cooldown, 0);
        }
        self.rate
    }

    fn is_better(&self, metric: f64) -> bool {
        let PlateauOptions { threshold, relative, preferred, .. } = self.options;
        let Some(best) = self.best else {
            // The first metric is compared with the worst possible one.
            return match preferred {
                Preferred::Smaller => metric < f64::INFINITY,
                Preferred::Larger => metric > f64::NEG_INFINITY,
            };
        };
        match (preferred, relative) {
            (Preferred::Smaller, true) => metric < best * (1.0 - threshold),
            (Preferred::Smaller, false) => metric < best - threshold,
            (Preferred::Larger, true) => metric > best * (1.0 + threshold),
            (Preferred::Larger, false) => metric > best + threshold,
        }
    }
}
