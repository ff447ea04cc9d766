//! One cycle of the learning rate.

use super::{check, check_steps};
use crate::error::Result;
use std::f64::consts::PI;

/// How a rate moves from one value to another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Annealing {
    /// Along half a cosine.
    Cosine,
    /// In equal changes.
    Linear,
}

/// The learning rate rises, falls back, and falls further to nearly zero: PyTorch's `OneCycleLR`, with its
/// names. Momentum does not change.
///
/// ```
/// # fn main() -> wgrad::Result<()> {
/// use wgrad::optim::{OneCycle, Schedule};
///
/// let schedule = Schedule::one_cycle(OneCycle::new(0.1, 1000).pct_start(0.2))?;
/// assert!((schedule.rate(0) - 0.1 / 25.0).abs() < 1e-9);
/// assert!(schedule.rate(999) < schedule.rate(0));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, PartialEq, Debug)]
pub struct OneCycle {
    pub(super) max_rate: f64,
    total_steps: u64,
    pct_start: f64,
    anneal_strategy: Annealing,
    div_factor: f64,
    final_div_factor: f64,
    three_phase: bool,
}

impl OneCycle {
    /// A cycle of `total_steps`, at least 1, up to `max_rate`, above 0, with PyTorch's defaults. The last step, and any
    /// after it, has the smallest rate.
    pub fn new(max_rate: f64, total_steps: u64) -> Self {
        OneCycle {
            max_rate,
            total_steps,
            pct_start: 0.3,
            anneal_strategy: Annealing::Cosine,
            div_factor: 25.0,
            final_div_factor: 1e4,
            three_phase: false,
        }
    }

    /// Sets the fraction of the steps in which the rate rises, from 0 to 1; 0.3 by default.
    #[must_use]
    pub fn pct_start(mut self, pct_start: f64) -> Self {
        self.pct_start = pct_start;
        self
    }

    /// Sets how the rate changes, [`Annealing::Cosine`] by default.
    #[must_use]
    pub fn anneal_strategy(mut self, anneal_strategy: Annealing) -> Self {
        self.anneal_strategy = anneal_strategy;
        self
    }

    /// Sets what the first rate is `max_rate` divided by, above 0; 25 by default.
    #[must_use]
    pub fn div_factor(mut self, div_factor: f64) -> Self {
        self.div_factor = div_factor;
        self
    }

    /// Sets what the last rate is the first one divided by, above 0; 10,000 by default.
    #[must_use]
    pub fn final_div_factor(mut self, final_div_factor: f64) -> Self {
        self.final_div_factor = final_div_factor;
        self
    }

    /// Sets whether the rate first falls to the first rate, in as many steps as it rose, and only then to the last.
    /// Off by default.
    #[must_use]
    pub fn three_phase(mut self, three_phase: bool) -> Self {
        self.three_phase = three_phase;
        self
    }

    pub(super) fn check(&self) -> Result<()> {
        check("max_rate", self.max_rate, self.max_rate > 0.0, "above 0")?;
        check_steps("total_steps", self.total_steps)?;
        check("pct_start", self.pct_start, (0.0..=1.0).contains(&self.pct_start), "between 0 and 1")?;
        check("div_factor", self.div_factor, self.div_factor > 0.0, "above 0")?;
        check("final_div_factor", self.final_div_factor, self.final_div_factor > 0.0, "above 0")
    }

    pub(super) fn rate(&self, step: u64) -> f64 {
        let step = step.min(self.total_steps - 1) as f64;
        let first = self.max_rate / self.div_factor;
        let last = first / self.final_div_factor;
        // The steps of the largest rate and of the last rate.
        let (top, end) = (self.pct_start * self.total_steps as f64 - 1.0, self.total_steps as f64 - 1.0);
        let (rise, fall) = ((0.0, top, first, self.max_rate), (top, end, self.max_rate, last));
        let phases = if self.three_phase {
            let back = 2.0 * self.pct_start * self.total_steps as f64 - 2.0;
            vec![rise, (top, back, self.max_rate, first), (back, end, first, last)]
        } else {
            vec![rise, fall]
        };
        let phase = phases.iter().find(|&&(_, until, ..)| step <= until).or(phases.last());
        let &(since, until, from, to) = phase.expect("there are phases");
        // A phase of no length is over.
        let part = if until > since { (step - since) / (until - since) } else { 1.0 };
        match self.anneal_strategy {
            Annealing::Cosine => to + (from - to) / 2.0 * (1.0 + (PI * part).cos()),
            Annealing::Linear => from + (to - from) * part,
        }
    }
}
