//! Checkpoints of a run, and whether a run with these options can go on from one.

use crate::Outcome;
use crate::cli::{Options, Schedule};
use std::collections::BTreeMap;
use std::path::Path;
use wgrad::data::Dataset;
use wgrad::file::{printable, printable_path};
use wgrad::{Result, Session};

/// Writes everything that the run goes on from, and its options.
pub fn save(path: &Path, session: &mut Session, options: &Options, data: &Dataset) -> Result<()> {
    session.save_checkpoint_with(path, &notes(options, data))
}

/// Finds out whether [`save`] could write: better known before the run than at the end of its first epoch.
pub fn check(session: &Session, options: &Options, data: &Dataset) -> Result<()> {
    match &options.checkpoint {
        Some(path) => session.check_checkpoint(path, &notes(options, data)),
        None => Ok(()),
    }
}

/// Goes on from the checkpoint that the options name, if they do.
pub fn resume(session: &mut Session, options: &Options, data: &Dataset) -> Outcome<()> {
    let Some(path) = &options.resume else { return Ok(()) };
    let notes = session.load_checkpoint(path)?;
    for (name, wanted) in settings(options, data) {
        // A constant rate is the same however many epochs there are.
        if name == "--epochs" && options.schedule == Schedule::Constant {
            continue;
        }
        let found = notes.get(name);
        if found != Some(&wanted) {
            let found = found.map_or_else(|| "an unknown one".to_owned(), |found| printable(found));
            return Err(format!(
                "--resume {}: its run has {name} {found}, this one {wanted}; go on with the same options, or begin anew from its weights by --load",
                printable_path(path)
            )
            .into());
        }
    }
    Ok(())
}

fn notes(options: &Options, data: &Dataset) -> BTreeMap<String, String> {
    settings(options, data).map(|(name, setting)| (name.to_owned(), setting)).into()
}

/// What the steps of a run follow from, under the options' names.
fn settings(options: &Options, data: &Dataset) -> [(&'static str, String); 8] {
    let data = format!("{} images of {} x {}", data.len(), data.rows(), data.columns());
    [
        ("--batch-size", options.batch_size.to_string()),
        ("--optimizer", format!("{:?}", options.optimizer).to_lowercase()),
        ("--learning-rate", options.learning_rate.to_string()),
        ("--schedule", format!("{:?}", options.schedule).to_lowercase()),
        ("--dropout", options.dropout.to_string()),
        ("--seed", options.seed.to_string()),
        ("--data", data),
        ("--epochs", options.epochs.to_string()),
    ]
}
