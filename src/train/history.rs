//! What a run measured: an epoch, an evaluation, all epochs so far; and their form in a checkpoint's notes.

use super::metrics::ConfusionMatrix;
use crate::session::{Counters, Exchanged};
use serde_json::{Map, Value as Json, json};
use std::fmt;
use std::time::Instant;

/// Figures over a data set.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub struct Evaluation {
    /// Samples evaluated.
    pub samples: u64,
    /// The mean loss over samples, where each batch's mean loss counts by its size.
    pub loss: f64,
    /// The metrics' figures, in order, each under its name.
    pub figures: Vec<(String, f64)>,
    /// The confusion matrix, if a metric makes one.
    pub confusion: Option<ConfusionMatrix>,
}

impl Evaluation {
    /// The figure of this name; `loss` is one too.
    pub fn figure(&self, name: &str) -> Option<f64> {
        if name == "loss" {
            return Some(self.loss);
        }
        self.figures.iter().find(|(figure, _)| figure == name).map(|&(_, figure)| figure)
    }
}

impl fmt::Display for Evaluation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "loss {:.4}", self.loss)?;
        self.figures.iter().try_for_each(|(name, figure)| write!(f, ", {name} {figure:.4}"))
    }
}

/// One epoch of a run.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub struct Epoch {
    /// Its number, from 1.
    pub number: u64,
    /// Steps of the run at its end.
    pub steps: u64,
    /// The learning rate of its last step.
    pub learning_rate: f64,
    /// The mean loss over its steps.
    pub training_loss: f64,
    /// The evaluation at its end, if there is data to evaluate with.
    pub evaluation: Option<Evaluation>,
}

impl Epoch {
    /// The figure of this name: `training_loss`, `learning_rate`, or one of the evaluation.
    pub fn figure(&self, name: &str) -> Option<f64> {
        match name {
            "training_loss" => Some(self.training_loss),
            "learning_rate" => Some(self.learning_rate),
            _ => self.evaluation.as_ref()?.figure(name),
        }
    }
}

/// All epochs of a run, those before it was resumed too.
#[derive(Clone, Default, PartialEq, Debug)]
#[non_exhaustive]
pub struct History {
    /// The epochs, in order.
    pub epochs: Vec<Epoch>,
    /// The evaluation behind the last epoch's: of a run that had no steps left, or with population statistics.
    pub evaluated: Option<Evaluation>,
    /// The loss of each step of this process.
    pub losses: Vec<f32>,
    /// For each metric of [`Trainer::follow`](super::Trainer::follow), its value in each step of this process.
    pub followed: Vec<(String, Vec<f64>)>,
    /// What a sample is called.
    pub unit: String,
    /// Samples of a batch.
    pub batch_size: usize,
    /// Number of the step before the first of them.
    pub first_step: u64,
    /// Samples a second, without the first steps and evaluations; `None` for a run that is too short.
    pub samples_per_second: Option<f64>,
    /// When the device had finished the first step of this process.
    pub first_step_at: Option<Instant>,
    /// Counts of the training session's work.
    pub counters: Counters,
    /// What this rank exchanged with others; nothing where there are none.
    pub exchanged: Exchanged,
    /// Why the run ended before its last epoch, if it did.
    pub stopped: Option<String>,
}

/// Steps, samples, speed.
impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let steps = self.losses.len();
        if steps == 0 {
            return f.write_str("not trained");
        }
        let plural = if steps == 1 { "" } else { "s" };
        write!(f, "{} step{plural} of {} {}", thousands(steps as f64), self.batch_size, self.unit)?;
        let speed = self.samples_per_second;
        speed.map_or(Ok(()), |speed| write!(f, " at {} {}/s", thousands(speed), self.unit))?;
        match self.exchanged {
            Exchanged { bytes_sent: 0, .. } => Ok(()),
            sent => write!(f, ", {sent}"),
        }
    }
}

impl History {
    /// The last evaluation.
    pub fn evaluation(&self) -> Option<&Evaluation> {
        let last = || self.epochs.iter().rev().find_map(|epoch| epoch.evaluation.as_ref());
        self.evaluated.as_ref().or_else(last)
    }

    /// The epochs as JSON, for a checkpoint. Numbers are kept by their bits, which JSON's would lose for NaN.
    pub(super) fn to_note(&self) -> String {
        let epochs = self.epochs.iter().map(|epoch| {
            let mut json = Map::new();
            json.insert("number".into(), json!(epoch.number));
            json.insert("steps".into(), json!(epoch.steps));
            json.insert("learning_rate".into(), json!(epoch.learning_rate.to_bits()));
            json.insert("training_loss".into(), json!(epoch.training_loss.to_bits()));
            if let Some(evaluation) = &epoch.evaluation {
                let figures: Vec<Json> =
                    evaluation.figures.iter().map(|(n, x)| json!([n, x.to_bits()])).collect();
                json.insert("samples".into(), json!(evaluation.samples));
                json.insert("loss".into(), json!(evaluation.loss.to_bits()));
                json.insert("figures".into(), Json::Array(figures));
            }
            Json::Object(json)
        });
        Json::Array(epochs.collect()).to_string()
    }

    /// Epochs from [`History::to_note`], without confusion matrices; `None` for another text.
    pub(super) fn of_note(note: &str) -> Option<Vec<Epoch>> {
        let json: Json = serde_json::from_str(note).ok()?;
        let number = |json: &Json| json.as_u64().map(f64::from_bits);
        json.as_array()?
            .iter()
            .map(|epoch| {
                let evaluation = match epoch.get("samples").and_then(Json::as_u64) {
                    None => None,
                    Some(samples) => {
                        let figures = epoch.get("figures")?.as_array()?.iter().map(|figure| {
                            Some((figure.get(0)?.as_str()?.to_owned(), number(figure.get(1)?)?))
                        });
                        let (loss, figures) = (number(epoch.get("loss")?)?, figures.collect::<Option<_>>()?);
                        Some(Evaluation { samples, loss, figures, confusion: None })
                    }
                };
                Some(Epoch {
                    number: epoch.get("number")?.as_u64()?,
                    steps: epoch.get("steps")?.as_u64()?,
                    learning_rate: number(epoch.get("learning_rate")?)?,
                    training_loss: number(epoch.get("training_loss")?)?,
                    evaluation,
                })
            })
            .collect()
    }
}

/// A whole number with a comma between thousands.
pub(super) fn thousands(number: f64) -> String {
    let digits = format!("{:.0}", number.max(0.0));
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
