//! The settings of a run.

use crate::plan::PlanOptions;
use std::path::{Path, PathBuf};

/// When a checkpoint is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Every {
    Epoch,
    /// After so many steps, and at the end of each epoch.
    Steps(u64),
}

#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub epochs: u64,
    pub max_steps: Option<u64>,
    pub batch_size: usize,
    /// As many as there are ranks if it is not set.
    pub micro_batches: Option<usize>,
    pub seed: u64,
    pub workers: usize,
    pub watch: bool,
    pub averaged: bool,
    pub population_statistics: bool,
    pub synchronized_statistics: bool,
    pub drop_last: bool,
    pub unit: String,
    pub plan: PlanOptions,
    pub checkpoint: Option<(PathBuf, Every)>,
    /// What to resume from, and whether it has to be there.
    pub resume: Option<(PathBuf, bool)>,
    /// The program's own, by name.
    pub own: Vec<(String, String)>,
}

impl Settings {
    /// The checkpoint to resume from, if it is there or has to be.
    pub(super) fn resumes_from(&self) -> Option<&Path> {
        let (path, required) = self.resume.as_ref()?;
        (*required || path.exists()).then_some(path.as_path())
    }
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            epochs: 1,
            max_steps: None,
            batch_size: 32,
            micro_batches: None,
            seed: 0,
            workers: 1,
            watch: true,
            averaged: false,
            population_statistics: false,
            synchronized_statistics: false,
            drop_last: false,
            unit: "samples".into(),
            plan: PlanOptions::default(),
            checkpoint: None,
            resume: None,
            own: Vec::new(),
        }
    }
}
