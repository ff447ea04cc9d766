//! Schedules: the learning rate of every step, by the formulas of PyTorch's schedulers. They compute on the
//! host. [`Plateau`] is the one that depends on a metric.

mod one_cycle;
mod plateau;

pub use one_cycle::{Annealing, OneCycle};
pub use plateau::{Plateau, PlateauOptions, Preferred};

use crate::error::{Error, Result};
use std::f64::consts::PI;
use std::fmt;
use std::sync::Arc;

/// A learning rate for every step, counted from 0. [`rate`](Schedule::rate) is the rate that PyTorch's
/// optimizer has after that many calls of `scheduler.step()`. As there, a step may also be an epoch.
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
#[derive(Clone, Debug)]
pub struct Schedule {
    /// The parts of the schedule. Each comes after the parts that it refers to by index; the last is the
    /// whole.
    parts: Vec<Part>,
}

/// A simple schedule, or a combination of two.
#[derive(Clone, PartialEq, Debug)]
struct Part {
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
    Lambda(Lambda),
    Then { first: Place, steps: u64, next: Place },
    Times(Place, Place),
}

/// Index of a part.
type Place = usize;

/// A function from the step to the factor of the rate. Clones of one are equal.
#[derive(Clone)]
struct Lambda(Arc<dyn Fn(u64) -> f64 + Send + Sync>);

impl PartialEq for Lambda {
    fn eq(&self, other: &Lambda) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl fmt::Debug for Lambda {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lambda")
    }
}

impl Schedule {
    /// The same rate in every step.
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

    /// From `rate` to `minimum` along half a cosine of `first` steps, then again and again, each time along
    /// `growth` times as many steps: PyTorch's `CosineAnnealingWarmRestarts` with `T_0` and `T_mult`.
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
    /// `LinearLR`. Use it to warm up.
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
    /// A setting out of the range that [`OneCycle`] states.
    pub fn one_cycle(cycle: OneCycle) -> Result<Self> {
        cycle.check()?;
        Schedule::of(cycle.max_rate, Curve::OneCycle(cycle))
    }

    /// `rate factor(step)`: PyTorch's `LambdaLR`.
    ///
    /// ```
    /// # fn main() -> wgrad::Result<()> {
    /// use wgrad::optim::Schedule;
    ///
    /// let inverse_root = Schedule::lambda(0.1, |step| 1.0 / (1.0 + step as f64).sqrt())?;
    /// assert!((inverse_root.rate(3) - 0.05).abs() < 1e-12);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// A rate that is not above 0 and finite.
    pub fn lambda(rate: f64, factor: impl Fn(u64) -> f64 + Send + Sync + 'static) -> Result<Self> {
        Schedule::of(rate, Curve::Lambda(Lambda(Arc::new(factor))))
    }

    /// This schedule for `steps` steps, then `next`, which counts from there: PyTorch's `SequentialLR`.
    #[must_use]
    pub fn then(self, steps: u64, next: Schedule) -> Self {
        self.with(next, |first, next| Curve::Then { first, steps, next })
    }

    /// This schedule's rate times the factor by which `other` changes its own base rate: PyTorch's
    /// `ChainedScheduler`.
    #[must_use]
    pub fn times(self, other: Schedule) -> Self {
        self.with(other, Curve::Times)
    }

    /// The learning rate of step `step`.
    pub fn rate(&self, step: u64) -> f64 {
        // Open tasks, the next on top, and finished rates: a stack instead of recursion, because schedules
        // nest to any depth.
        let (mut open, mut rates) = (vec![Task::Rate(self.parts.len() - 1, step)], Vec::new());
        while let Some(task) = open.pop() {
            match task {
                Task::Rate(place, step) => match self.parts[place].curve {
                    Curve::Then { first, steps, .. } if step < steps => open.push(Task::Rate(first, step)),
                    Curve::Then { steps, next, .. } => open.push(Task::Rate(next, step - steps)),
                    Curve::Times(one, other) => {
                        open.push(Task::Times(self.parts[other].base));
                        open.extend([Task::Rate(other, step), Task::Rate(one, step)]);
                    }
                    _ => rates.push(self.parts[place].rate(step)),
                },
                Task::Times(base) => {
                    let (other, one) = (rates.pop().unwrap_or(base), rates.pop().unwrap_or(0.0));
                    rates.push(one * (other / base));
                }
            }
        }
        rates.pop().unwrap_or(0.0)
    }

    /// The rates of all steps, starting at step 0.
    pub fn rates(&self) -> impl Iterator<Item = f64> + '_ {
        (0..).map(|step| self.rate(step))
    }

    fn of(base: f64, curve: Curve) -> Result<Self> {
        check("rate", base, base > 0.0, "above 0")?;
        Ok(Schedule { parts: vec![Part { base, curve }] })
    }

    fn last(&self) -> &Part {
        self.parts.last().expect("a schedule has a part")
    }

    /// Joins two schedules to one, whose base rate is this one's. The shorter list is moved, so building a
    /// long schedule part by part is fast from either end.
    fn with(self, other: Schedule, join: impl FnOnce(Place, Place) -> Curve) -> Self {
        let base = self.last().base;
        let swapped = self.parts.len() < other.parts.len();
        let (mut parts, moved) = if swapped { (other.parts, self.parts) } else { (self.parts, other.parts) };
        let (stays, by) = (parts.len() - 1, parts.len());
        parts.extend(moved.into_iter().map(|mut part| {
            match &mut part.curve {
                Curve::Then { first, next, .. } => (*first, *next) = (*first + by, *next + by),
                Curve::Times(one, other) => (*one, *other) = (*one + by, *other + by),
                _ => {}
            }
            part
        }));
        let came = parts.len() - 1;
        let curve = if swapped { join(came, stays) } else { join(stays, came) };
        parts.push(Part { base, curve });
        Schedule { parts }
    }
}

/// A task in computing a rate.
enum Task {
    /// The rate of a part at a step.
    Rate(Place, u64),
    /// Multiplies the last rate but one by the last rate over this base rate.
    Times(f64),
}

impl PartialEq for Schedule {
    /// Whether both consist of the same parts in the same combination.
    fn eq(&self, other: &Schedule) -> bool {
        let mut open = vec![(self.parts.len() - 1, other.parts.len() - 1)];
        while let Some((one, two)) = open.pop() {
            let (one, two) = (&self.parts[one], &other.parts[two]);
            let alike = match (&one.curve, &two.curve) {
                (
                    &Curve::Then { first: a, steps: at, next: b },
                    &Curve::Then { first: c, steps: also_at, next: d },
                ) => {
                    open.extend([(a, c), (b, d)]);
                    at == also_at
                }
                (&Curve::Times(a, b), &Curve::Times(c, d)) => {
                    open.extend([(a, c), (b, d)]);
                    true
                }
                (one, two) => one == two,
            };
            if !alike || one.base != two.base {
                return false;
            }
        }
        true
    }
}

impl Part {
    /// The rate of a simple schedule.
    fn rate(&self, step: u64) -> f64 {
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
            Curve::Lambda(Lambda(factor)) => base * factor(step),
            Curve::Then { .. } | Curve::Times(..) => unreachable!("made of others"),
        }
    }
}

/// Fails unless `passes` holds and `value` is finite.
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
