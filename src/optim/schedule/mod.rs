//! Schedules: the learning rate of every step, as PyTorch's schedulers have them. Numbers on the host; what
//! goes by a metric is a [`Plateau`].

mod one_cycle;
mod plateau;

pub use one_cycle::{Annealing, OneCycle};
pub use plateau::{Plateau, PlateauOptions, Preferred};

use crate::error::{Error, Result};
use std::f64::consts::PI;

/// A learning rate for every step, counted from 0. PyTorch's schedulers count epochs or steps alike:
/// [`rate`](Schedule::rate) is what the optimizer has after that many calls of `scheduler.step()`.
///
/// ```
/// # fn main() -> wgrad::Result<()> {
/// use wgrad::optim::Schedule;
///
/// let warm_up = Schedule::linear(0.1, 0.01, 1.0, 500)?;
/// let schedule = warm_up.then(500, Schedule::cosine(0.1, 10_000, 0.0)?);
/// assert!((schedule.rate(0) - 0.001).abs() < 1e-12);
/// assert!((schedule.rate(500) - 0.1).abs() < 1e-12);
/// assert!((schedule.rate(5_500) - 0.05).abs() < 1e-12);
/// // session.write_scalar(learning_rate, schedule.rate(step) as f32)?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, PartialEq, Debug)]
pub struct Schedule {
    base: f64,
    curve: Curve,
}

#[derive(Clone, PartialEq, Debug)]
enum Curve {
    Constant,
    Reduced { factor: f64, steps: u64 },
    Step { steps: u64, gamma: f64 },
    MultiStep { milestones: Vec<u64>, gamma: f64 },
    Exponential { gamma: f64 },
    Cosine { steps: u64, minimum: f64 },
    Restarts { first: u64, growth: u64, minimum: f64 },
    Linear { start: f64, end: f64, steps: u64 },
    Polynomial { steps: u64, power: f64 },
    OneCycle(OneCycle),
    Then { first: Box<Schedule>, steps: u64, next: Box<Schedule> },
    Times(Box<Schedule>, Box<Schedule>),
}

impl Schedule {
    /// The same rate for ever.
    ///
    /// # Errors
    /// A rate that is not above 0 and finite.
    pub fn constant(rate: f64) -> Result<Self> {
        Schedule::of(rate, Curve::Constant)
    }

    /// `rate factor` for `steps` steps, then `rate`: PyTorch's `ConstantLR`.
    ///
    /// # Errors
    /// A rate that is not above 0 and finite; a factor that is not between 0 and 1.
    pub fn reduced(rate: f64, factor: f64, steps: u64) -> Result<Self> {
        check("factor", factor, (0.0..=1.0).contains(&factor), "between 0 and 1")?;
        Schedule::of(rate, Curve::Reduced { factor, steps })
    }

    /// `rate gamma^(step / steps)`, the quotient rounded down: PyTorch's `StepLR`.
    ///
    /// # Errors
    /// A rate that is not above 0 and finite; a gamma that is not at least 0 and finite; no steps.
    pub fn step(rate: f64, steps: u64, gamma: f64) -> Result<Self> {
        check_steps("steps", steps)?;
        check("gamma", gamma, gamma >= 0.0, "at least 0")?;
        Schedule::of(rate, Curve::Step { steps, gamma })
    }

    /// `rate gamma^n`, where n is the number of milestones up to this step: PyTorch's `MultiStepLR`.
    ///
    /// # Errors
    /// A rate that is not above 0 and finite; a gamma that is not at least 0 and finite.
    pub fn multi_step(rate: f64, milestones: &[u64], gamma: f64) -> Result<Self> {
        check("gamma", gamma, gamma >= 0.0, "at least 0")?;
        Schedule::of(rate, Curve::MultiStep { milestones: milestones.to_vec(), gamma })
    }

    /// `rate gamma^step`: PyTorch's `ExponentialLR`.
    ///
    /// # Errors
    /// A rate that is not above 0 and finite; a gamma that is not at least 0 and finite.
    pub fn exponential(rate: f64, gamma: f64) -> Result<Self> {
        check("gamma", gamma, gamma >= 0.0, "at least 0")?;
        Schedule::of(rate, Curve::Exponential { gamma })
    }

    /// From `rate` to `minimum` along half a cosine of `steps` steps, and back along the next: `minimum +
    /// (rate - minimum) (1 + cos(pi step / steps)) / 2`, PyTorch's `CosineAnnealingLR`.
    ///
    /// # Errors
    /// A rate that is not above 0 and finite; a minimum that is not at least 0 and finite; no steps.
    pub fn cosine(rate: f64, steps: u64, minimum: f64) -> Result<Self> {
        check_steps("steps", steps)?;
        check("minimum", minimum, minimum >= 0.0, "at least 0")?;
        Schedule::of(rate, Curve::Cosine { steps, minimum })
    }

    /// From `rate` to `minimum` along half a cosine of `first` steps, then anew along ever `growth` times as
    /// many: PyTorch's `CosineAnnealingWarmRestarts` with `T_0` and `T_mult`.
    ///
    /// # Errors
    /// A rate that is not above 0 and finite; a minimum that is not at least 0 and finite; no first steps,
    /// or no growth (1 keeps the length).
    pub fn cosine_with_restarts(rate: f64, first: u64, growth: u64, minimum: f64) -> Result<Self> {
        check_steps("first", first)?;
        check_steps("growth", growth)?;
        check("minimum", minimum, minimum >= 0.0, "at least 0")?;
        Schedule::of(rate, Curve::Restarts { first, growth, minimum })
    }

    /// From `start rate` to `end rate` in equal changes over `steps` steps, then constant: PyTorch's
    /// `LinearLR`, with which learning warms up.
    ///
    /// # Errors
    /// A rate that is not above 0 and finite; a start that is not above 0 and at most 1; an end that is
    /// not between 0 and 1; no steps.
    pub fn linear(rate: f64, start: f64, end: f64, steps: u64) -> Result<Self> {
        check("start", start, start > 0.0 && start <= 1.0, "above 0 and at most 1")?;
        check("end", end, (0.0..=1.0).contains(&end), "between 0 and 1")?;
        check_steps("steps", steps)?;
        Schedule::of(rate, Curve::Linear { start, end, steps })
    }

    /// `rate (1 - step / steps)^power`, and 0 from `steps` on: PyTorch's `PolynomialLR`.
    ///
    /// # Errors
    /// A rate or a power that is not above 0 and finite; no steps.
    pub fn polynomial(rate: f64, steps: u64, power: f64) -> Result<Self> {
        check_steps("steps", steps)?;
        check("power", power, power > 0.0, "above 0")?;
        Schedule::of(rate, Curve::Polynomial { steps, power })
    }

    /// Up and down once: PyTorch's `OneCycleLR`.
    ///
    /// # Errors
    /// A setting out of the range that [`OneCycle`] gives.
    pub fn one_cycle(cycle: OneCycle) -> Result<Self> {
        cycle.check()?;
        Schedule::of(cycle.max_rate, Curve::OneCycle(cycle))
    }

    /// This schedule for `steps` steps, then `next`, which counts from there: PyTorch's `SequentialLR`.
    #[must_use]
    pub fn then(self, steps: u64, next: Schedule) -> Self {
        Schedule {
            base: self.base,
            curve: Curve::Then { first: Box::new(self), steps, next: Box::new(next) },
        }
    }

    /// This schedule's rate times what `other` makes of its own: PyTorch's `ChainedScheduler`.
    #[must_use]
    pub fn times(self, other: Schedule) -> Self {
        Schedule { base: self.base, curve: Curve::Times(Box::new(self), Box::new(other)) }
    }

    /// The learning rate of step `step`.
    pub fn rate(&self, step: u64) -> f64 {
        let base = self.base;
        let cosine = |minimum: f64, at: u64, steps: u64| {
            minimum + (base - minimum) * (1.0 + (PI * (at as f64 / steps as f64)).cos()) / 2.0
        };
        match &self.curve {
            Curve::Constant => base,
            Curve::Reduced { factor, steps } => base * if step < *steps { *factor } else { 1.0 },
            Curve::Step { steps, gamma } => base * gamma.powf((step / steps) as f64),
            Curve::MultiStep { milestones, gamma } => {
                base * gamma.powf(milestones.iter().filter(|&&milestone| milestone <= step).count() as f64)
            }
            Curve::Exponential { gamma } => base * gamma.powf(step as f64),
            Curve::Cosine { steps, minimum } => cosine(*minimum, step, *steps),
            Curve::Restarts { first, growth: 1, minimum } => cosine(*minimum, step % first, *first),
            Curve::Restarts { first, growth, minimum } => {
                let (mut at, mut steps) = (step, *first);
                while at >= steps {
                    at -= steps;
                    steps = steps.saturating_mul(*growth);
                }
                cosine(*minimum, at, steps)
            }
            Curve::Linear { start, end, steps } => {
                base * (start + (end - start) * (step.min(*steps) as f64 / *steps as f64))
            }
            Curve::Polynomial { steps, power } => {
                base * (1.0 - step.min(*steps) as f64 / *steps as f64).powf(*power)
            }
            Curve::OneCycle(cycle) => cycle.rate(step),
            Curve::Then { first, steps, .. } if step < *steps => first.rate(step),
            Curve::Then { steps, next, .. } => next.rate(step - steps),
            Curve::Times(one, other) => one.rate(step) * (other.rate(step) / other.base),
        }
    }

    /// The rates of all steps, from step 0 on.
    pub fn rates(&self) -> impl Iterator<Item = f64> + '_ {
        (0..).map(|step| self.rate(step))
    }

    fn of(base: f64, curve: Curve) -> Result<Self> {
        check("rate", base, base > 0.0, "above 0")?;
        Ok(Schedule { base, curve })
    }
}

/// Fails unless `value` passes and is finite.
fn check(setting: &'static str, value: f64, passes: bool, expected: &str) -> Result<()> {
    if passes && value.is_finite() {
        return Ok(());
    }
    Err(Error::Setting { setting, message: format!("must be {expected} and finite, found {value}") })
}

fn check_steps(setting: &'static str, steps: u64) -> Result<()> {
    if steps > 0 {
        return Ok(());
    }
    Err(Error::Setting { setting, message: "must be at least 1, found 0".into() })
}
