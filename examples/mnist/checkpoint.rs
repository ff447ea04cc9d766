//! Checkpoints of a run: written with its options, and resumed only under the same ones.

use crate::Outcome;
use crate::cli::{Options, Schedule};
use std::collections::BTreeMap;
use std::path::Path;
use wgrad::data::Images;
use wgrad::file::{printable, printable_path};
use wgrad::{Result, Session};

/// Writes everything that the run resumes from, and its options.
pub fn save(path: &Path, session: &mut Session, options: &Options, data: &Images) -> Result<()> {
    session.save_checkpoint_with(path, &notes(options, data))
}

/// Checks whether [`save`] could write, before the run instead of at the end of its first epoch.
pub fn check(session: &Session, options: &Options, data: &Images) -> Result<()> {
    match &options.checkpoint {
        Some(path) => session.check_checkpoint(path, &notes(options, data)),
        None => Ok(()),
    }
}

/// Resumes from the checkpoint that the options name, if any.
pub fn resume(session: &mut Session, options: &Options, data: &Images) -> Outcome<()> {
    let Some(path) = &options.resume else { return Ok(()) };
    let notes = session.load_checkpoint(path)?;
    for (name, wanted) in settings(options, data) {
        // A constant rate does not depend on the number of epochs.
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

fn notes(options: &Options, data: &Images) -> BTreeMap<String, String> {
    settings(options, data).map(|(name, setting)| (name.to_owned(), setting)).into()
}

/// The settings that the steps of a run depend on, under the options' names.
fn settings(options: &Options, data: &Images) -> [(&'static str, String); 8] {
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
