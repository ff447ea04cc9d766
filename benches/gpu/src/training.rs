//! The parts `training` and `mixed-training`: images a second of whole training steps, in f32 and in mixed precision.

use crate::compile::merge;
use crate::harness;
use crate::mixed;
use crate::networks::{MIXED, MIXED_BY_SOFTWARE, TRAINED, TRAINED_BY_SOFTWARE, Trainer, Workload};
use crate::results::{Results, median};
use serde_json::{Value, json};
use std::time::Instant;
use wgrad::{Device, Error};

/// Steps before the clock counts.
const WARM_UP: usize = 3;
/// Samples, and the seconds of one.
const SAMPLES: usize = 5;
const SECONDS: f64 = 0.25;
/// The share of the part's time after which no further network starts.
const SHARE: f64 = 0.8;

/// Makes the session of a network.
type Make = fn(&Device, &Workload) -> Result<Trainer, Error>;

/// Writes the part `training`.
pub fn run(results: &mut Results) -> Result<(), Error> {
    let software = harness::device().summary().software;
    measure_all(results, if software { TRAINED_BY_SOFTWARE } else { TRAINED }, Trainer::planned, true);
    Ok(())
}

/// Writes the part `mixed-training`.
pub fn run_mixed(results: &mut Results) -> Result<(), Error> {
    mixed::with_device(results, |results| {
        let software = harness::device().summary().software;
        measure_all(results, if software { MIXED_BY_SOFTWARE } else { MIXED }, Trainer::mixed, !software);
        if software {
            results.note(
                "Losses are not judged here: gradients of batches as small as these can overflow in f16.",
            );
        }
        Ok(())
    })
}

/// `judged` says whether the loss has to fall.
fn measure_all(results: &mut Results, all: &[Workload], make: Make, judged: bool) {
    results.set("workloads", all.iter().map(Workload::json).collect::<Vec<_>>());
    for (number, work) in all.iter().enumerate() {
        if results.is_past(SHARE) {
            results.note(format!("The time ended after {number} of {} networks.", all.len()));
            break;
        }
        let mut row = work.json();
        match measure(work, make) {
            Ok(figures) => merge(&mut row, figures),
            Err(error) => {
                results.wrong(format!("{}: {error}", work.name()));
                row["error"] = error.to_string().into();
            }
        }
        if judged && row.get("falls").is_some_and(|falls| falls == false) {
            let [first, last] = ["first_loss", "last_loss"].map(|loss| &row[loss]);
            results.wrong(format!("{}: the loss went from {first} to {last}", work.name()));
        }
        results.row(row);
    }
}

fn measure(work: &Workload, make: Make) -> Result<Value, Error> {
    let mut trainer = make(harness::device(), work)?;
    let by_matrices = trainer.session.plan().steps().iter().filter(|step| step.variant.is_in_f16()).count();
    trainer.session.step()?;
    let before = trainer.loss()?;
    let bytes: u64 = trainer.session.plan().device_bytes().values().sum();
    let resident = rate(&mut trainer, work, false)?;
    let uploaded = rate(&mut trainer, work, true)?;
    let after = trainer.loss()?;
    Ok(json!({
        "images_per_second": resident,
        "step_seconds": work.batch as f64 / resident,
        "images_per_second_uploading": uploaded,
        "nodes_by_cooperative_matrices": by_matrices,
        "device_megabytes": bytes as f64 / 1e6,
        "first_loss": finite(before),
        "last_loss": finite(after),
        "falls": after < before,
    }))
}

/// A number as JSON, which has no infinity and no NaN.
fn finite(number: f64) -> Value {
    if number.is_finite() { json!(number) } else { json!(number.to_string()) }
}

/// Images a second, with the batch uploaded for each step or left on the device. A sample ends with one wait.
fn rate(trainer: &mut Trainer, work: &Workload, upload: bool) -> Result<f64, Error> {
    let mut sample = |steps: usize| -> Result<f64, Error> {
        let start = Instant::now();
        for _ in 0..steps {
            if upload {
                trainer.write()?;
            }
            trainer.session.step()?;
        }
        trainer.session.wait()?;
        Ok(start.elapsed().as_secs_f64() / steps as f64)
    };
    let mut fastest = f64::INFINITY;
    for _ in 0..WARM_UP {
        fastest = fastest.min(sample(1)?);
    }
    let steps = (SECONDS / fastest).ceil().max(1.0) as usize;
    // A step of seconds, on a software adapter, is a sample by itself.
    let samples = if fastest > SECONDS { 2 } else { SAMPLES };
    let times: Result<Vec<f64>, Error> = (0..samples).map(|_| sample(steps)).collect();
    Ok(work.batch as f64 / median(times?))
}
