//! Chooses kernels by measuring them, for `--tune`.

use crate::cli::Options;
use crate::network::{Step, Training};
use crate::progress::Progress;
use crate::{Outcome, say};
use std::path::Path;
use wgrad::file::printable_path;
use wgrad::tune::Tuner;
use wgrad::{Device, PlanOptions, Value};

/// Planning options by which both networks take the fastest kernels of this device. What `file` holds is not measured
/// again.
pub fn tune(
    device: &Device,
    file: &Path,
    (training, outputs): (&Training, &[Value]),
    evaluation: &Step,
    how: PlanOptions,
    options: &Options,
) -> Outcome<PlanOptions> {
    let graphs = [(&training.step.graph, outputs), (&evaluation.graph, &[evaluation.correct][..])];
    let (mut measured, mut tuning) = (0, None);
    for (graph, outputs) in graphs {
        let mut bar = None;
        let mut tuner = Tuner::new(device).file(file).progress(|progress| {
            let bar = bar.get_or_insert_with(|| Progress::tuning(options.progress, progress.total));
            bar.tuned(progress);
        });
        let tuned = tuner.run(graph, outputs, &how)?;
        drop(tuner);
        bar.iter().for_each(Progress::finish);
        measured += tuned.measured.len();
        if !tuned.measured.is_empty() {
            say!("{}", tuned.to_string().trim_end());
        }
        tuning = Some(tuned.tuning);
    }
    let tuning = tuning.unwrap_or_default();
    say!("kernels: {measured} choices measured, {} in {}", tuning.len(), printable_path(file));
    Ok(how.tuned(tuning))
}
