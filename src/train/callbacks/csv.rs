//! A table of the epochs as a file.

use super::{Begin, Callback, EpochEnd, Flow};
use crate::error::Result;
use crate::file;
use crate::train::Epoch;
use std::path::PathBuf;

/// Writes a table of comma-separated values after each epoch: a line of names, then one for each epoch. The file is
/// written whole each time, so that it is complete whenever it is read.
#[derive(Clone, PartialEq, Debug)]
pub struct Csv {
    path: PathBuf,
    epochs: Vec<Epoch>,
}

impl Csv {
    /// A table in this file.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Csv { path: path.into(), epochs: Vec::new() }
    }

    fn table(&self) -> String {
        let mut names: Vec<&str> = Vec::new();
        for evaluation in self.epochs.iter().filter_map(|epoch| epoch.evaluation.as_ref()) {
            for name in
                std::iter::once("loss").chain(evaluation.figures.iter().map(|(name, _)| name.as_str()))
            {
                if !names.contains(&name) {
                    names.push(name);
                }
            }
        }
        let mut text = String::from("epoch,steps,learning_rate,training_loss");
        names.iter().for_each(|name| text += &format!(",{}", quoted(name)));
        text.push('\n');
        for epoch in &self.epochs {
            text +=
                &format!("{},{},{},{}", epoch.number, epoch.steps, epoch.learning_rate, epoch.training_loss);
            for name in &names {
                let figure = epoch.evaluation.as_ref().and_then(|evaluation| evaluation.figure(name));
                text += &figure.map_or_else(|| ",".to_owned(), |figure| format!(",{figure}"));
            }
            text.push('\n');
        }
        text
    }
}

/// A field in quotes if it needs them (RFC 4180).
fn quoted(field: &str) -> String {
    if field.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.into()
    }
}

impl Callback for Csv {
    fn begin(&mut self, begin: &Begin) -> Result<Flow> {
        self.epochs.clone_from(&begin.earlier);
        file::check_writable(&self.path)?;
        Ok(Flow::Continue)
    }

    fn epoch(&mut self, end: &EpochEnd<'_>) -> Result<Flow> {
        self.epochs.push(end.epoch.clone());
        file::write_whole(&self.path, self.table().as_bytes())?;
        Ok(Flow::Continue)
    }
}
