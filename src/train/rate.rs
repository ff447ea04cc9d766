//! The learning rate of each step of a run, and what else follows a schedule.

use crate::error::{Error, Result};
use crate::optim::{Plateau, Schedule};
use std::fmt;

type Of = dyn Fn(u64) -> Result<Schedule> + Send + Sync;

/// Further scalars of the optimizer by name. Each function takes the steps of the whole run.
#[derive(Default)]
pub(super) struct Scalars(pub Vec<(String, Box<Of>)>);

impl fmt::Debug for Scalars {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

/// Where a run's learning rates come from.
pub(super) enum Rate {
    /// A schedule by step; the function takes the steps of the whole run.
    Steps(Box<Of>),
    /// A schedule by epoch; the function takes the epochs of the whole run.
    Epochs(Box<Of>),
    /// Falls when the loss of an evaluation, or else the mean training loss, stops improving.
    Plateau(Plateau),
}

impl fmt::Debug for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Rate::Steps(_) => "Steps",
            Rate::Epochs(_) => "Epochs",
            Rate::Plateau(_) => "Plateau",
        })
    }
}

/// The rates of a run whose length is known.
#[derive(Clone, Debug)]
pub(super) enum Rates {
    Steps(Schedule),
    Epochs(Schedule),
    Plateau(Plateau),
}

impl Rate {
    pub(super) fn of(&self, steps: u64, epochs: u64) -> Result<Rates> {
        Ok(match self {
            Rate::Steps(of) => Rates::Steps(of(steps.max(1))?),
            Rate::Epochs(of) => Rates::Epochs(of(epochs.max(1))?),
            Rate::Plateau(plateau) => Rates::Plateau(plateau.clone()),
        })
    }
}

impl Scalars {
    /// The schedules of a run of so many steps.
    pub(super) fn of(&self, steps: u64) -> Result<Vec<(String, Schedule)>> {
        self.0.iter().map(|(name, of)| Ok((name.clone(), of(steps.max(1))?))).collect()
    }
}

/// A schedule's number for a step.
pub(super) fn scheduled(name: &str, schedule: &Schedule, step: u64) -> Result<f32> {
    finite(name, schedule.rate(step), step)
}

fn finite(name: &str, number: f64, step: u64) -> Result<f32> {
    if number.is_finite() {
        return Ok(number as f32);
    }
    let message = format!("the {name} of step {step} is {number}, expected a finite number");
    Err(Error::Setting { setting: "schedule", message })
}

impl Rates {
    pub(super) fn rate(&self, step: u64, epoch: u64) -> Result<f32> {
        let rate = match self {
            Rates::Steps(schedule) => schedule.rate(step),
            Rates::Epochs(schedule) => schedule.rate(epoch),
            Rates::Plateau(plateau) => plateau.rate(),
        };
        finite("rate", rate, step)
    }

    /// Takes the loss of an epoch.
    pub(super) fn ended(&mut self, loss: f64) {
        if let Rates::Plateau(plateau) = self {
            plateau.step(loss);
        }
    }
}
