//! What a checkpoint of a run says beside the weights: the settings that its steps depend on, and its figures so far.

use super::history::{Epoch, History};
use super::rate::{Rates, scheduled};
use super::settings::Settings;
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::file::printable;
use crate::hash::fnv1a;
use crate::optim::Schedule;
use std::collections::BTreeMap;
use std::path::Path;

const HISTORY: &str = "wgrad.history";
const LOSSES: &str = "wgrad.epoch_losses";
const SETTING: &str = "setting.";
/// Steps whose rates a digest is of.
const SAMPLED: u64 = 10_000;

/// The mean loss of the epoch that is being run: sum and count.
#[derive(Clone, Copy, Default, PartialEq, Debug)]
pub(super) struct Losses {
    pub sum: f64,
    pub count: u64,
}

impl Losses {
    pub(super) fn mean(self) -> f64 {
        self.sum / self.count as f64
    }
}

/// The settings that the bits of a run's steps depend on, by name.
pub(super) fn settings(
    settings: &Settings,
    micro_batches: usize,
    data: &dyn Dataset,
    (rates, scalars): (&Rates, &[(String, Schedule)]),
    steps: u64,
) -> Result<Vec<(String, String)>> {
    let fields = data.fields().iter().map(|field| format!("{} {}{}", field.name, field.dtype, field.shape));
    let mut found = settings.own.clone();
    found.extend([
        ("batch size".to_owned(), settings.batch_size.to_string()),
        ("micro-batches".to_owned(), micro_batches.to_string()),
        ("synchronised statistics".to_owned(), settings.synchronized_statistics.to_string()),
        ("seed".to_owned(), settings.seed.to_string()),
        ("precision".to_owned(), format!("{:?}", settings.plan.precision)),
        ("drop last".to_owned(), settings.drop_last.to_string()),
        ("samples".to_owned(), data.len().to_string()),
        ("fields".to_owned(), fields.collect::<Vec<_>>().join(", ")),
    ]);
    let epoch = steps.max(1).div_ceil(settings.epochs.max(1)).max(1);
    // A plateau's rates follow from its settings and the figures so far. Other schedules are told apart by their rates:
    // some for people to read, and a digest of more.
    if let Rates::Plateau(plateau) = rates {
        found.push(("plateau".to_owned(), format!("{plateau:?}")));
    } else {
        found.push(("learning rates".to_owned(), told(steps, |step| rates.rate(step, step / epoch))?));
    }
    for (name, schedule) in scalars {
        found.push((format!("schedule of {name}"), told(steps, |step| scheduled(name, schedule, step))?));
    }
    Ok(found)
}

/// What tells one run's numbers from another's.
fn told(steps: u64, of: impl Fn(u64) -> Result<f32>) -> Result<String> {
    let some = [0, steps / 3, steps / 2, steps.saturating_sub(1)].map(&of);
    let some = some.into_iter().map(|rate| rate.map(|rate| rate.to_string())).collect::<Result<Vec<_>>>()?;
    // As many whatever the length, so that a constant rate does not depend on it.
    let rates = (0..SAMPLED).map(|i| of(i * steps / SAMPLED)).collect::<Result<Vec<f32>>>()?;
    let digest = fnv1a(bytemuck::cast_slice(&rates));
    Ok(format!("{} ({digest:x})", some.join(", ")))
}

/// The notes of a checkpoint.
pub(super) fn notes(
    settings: &[(String, String)],
    history: &History,
    losses: Losses,
) -> BTreeMap<String, String> {
    let mut notes: BTreeMap<String, String> =
        settings.iter().map(|(name, setting)| (format!("{SETTING}{name}"), setting.clone())).collect();
    notes.insert(HISTORY.to_owned(), history.to_note());
    notes.insert(LOSSES.to_owned(), format!("{} {}", losses.sum.to_bits(), losses.count));
    notes
}

/// Checks the settings in a checkpoint's notes, and returns the epochs and the losses of the one that was being run.
pub(super) fn resumed(
    path: &Path,
    notes: &BTreeMap<String, String>,
    settings: &[(String, String)],
) -> Result<(Vec<Epoch>, Losses)> {
    let error = |message: String| Err(Error::Weights { path: path.to_owned(), message });
    let differs = |(name, wanted): &(String, String)| {
        let found = notes.get(&format!("{SETTING}{name}"));
        let told = found.map_or_else(|| "unknown".to_owned(), |found| printable(found));
        (found != Some(wanted)).then(|| format!("{name} {told}, this one {wanted}"))
    };
    let differences: Vec<String> = settings.iter().filter_map(differs).collect();
    if !differences.is_empty() {
        return error(format!(
            "its run has {}; resume with the same settings and data, or begin anew from its weights by Trainer::load",
            differences.join("; ")
        ));
    }
    let losses = notes.get(LOSSES).and_then(|note| {
        let (sum, count) = note.split_once(' ')?;
        Some(Losses { sum: f64::from_bits(sum.parse().ok()?), count: count.parse().ok()? })
    });
    let epochs = notes.get(HISTORY).and_then(|note| History::of_note(note));
    match (epochs, losses) {
        (Some(epochs), Some(losses)) => Ok((epochs, losses)),
        _ => error(
            "has no history of a Trainer; resume it by Session::load_checkpoint, or load its weights".into(),
        ),
    }
}
