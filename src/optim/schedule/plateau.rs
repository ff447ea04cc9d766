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

/// Options of a [`Plateau`], with PyTorch's defaults.
#[derive(Clone, PartialEq, Debug)]
pub struct PlateauOptions {
    preferred: Preferred,
    factor: f64,
    patience: u64,
    threshold: f64,
    relative: bool,
    cooldown: u64,
    min_rate: f64,
    eps: f64,
}

/// Methods that each set the field of their name.
macro_rules! setters {
    ($($(#[$doc:meta])* $field:ident: $type:ty;)*) => {$(
        $(#[$doc])*
        #[must_use]
        pub fn $field(mut self, $field: $type) -> Self {
            self.$field = $field;
            self
        }
    )*};
}

impl PlateauOptions {
    /// PyTorch's defaults.
    pub fn new() -> Self {
        PlateauOptions::default()
    }

    setters! {
        /// Sets which values of the metric are better: smaller ones by default.
        preferred: Preferred;
        /// Sets the factor that the rate is multiplied by when it falls, at least 0 and below 1; 0.1 by default.
        factor: f64;
        /// Sets the number of metrics in a row without improvement before the rate falls at the next, 10 by default.
        patience: u64;
        /// Sets how much better a metric must be to count as an improvement, at least 0; 1e-4 by default.
        threshold: f64;
        /// Sets whether the threshold is relative to the best metric. On by default; otherwise it is absolute.
        relative: bool;
        /// Sets the number of metrics after a fall that never count as lack of improvement, 0 by default.
        cooldown: u64;
        /// Sets the smallest rate, 0 by default.
        min_rate: f64;
        /// Sets the change of the rate up to which it is left out, 1e-8 by default.
        eps: f64;
    }
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
///
/// ```
/// # fn main() -> wgrad::Result<()> {
/// use wgrad::optim::{Plateau, PlateauOptions};
///
/// let mut plateau = Plateau::new(0.1, PlateauOptions::new().factor(0.5).patience(0))?;
/// assert_eq!(plateau.step(1.0), 0.1); // the first loss
/// assert_eq!(plateau.step(2.0), 0.05); // a worse one
/// # Ok(())
/// # }
/// ```
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
