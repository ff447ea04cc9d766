//! The part `compile`: how long it takes to plan networks, to compile their kernels, and to run the first step, with
//! nothing kept from an earlier run.

use crate::harness;
use crate::networks::{PROFILED, PROFILED_BY_SOFTWARE, Trainer, Workload};
use crate::results::Results;
use serde_json::json;
use std::collections::HashSet;
use std::time::Instant;
use wgrad::{Error, Plan};

/// Writes the part.
pub fn run(results: &mut Results) -> Result<(), Error> {
    results.note(
        "Pipelines that wgrad keeps are off, and so are the caches of NVIDIA's and Mesa's drivers where they obey \
         __GL_SHADER_DISK_CACHE and MESA_SHADER_CACHE_DISABLE.",
    );
    let software = harness::device().summary().software;
    for work in if software { PROFILED_BY_SOFTWARE } else { PROFILED } {
        let mut row = work.json();
        match measure(work) {
            Ok(figures) => merge(&mut row, figures),
            Err(error) => {
                results.wrong(format!("{}: {error}", work.name()));
                row["error"] = error.to_string().into();
            }
        }
        results.row(row);
    }
    Ok(())
}

/// Adds the fields of `figures` to a row.
pub fn merge(row: &mut serde_json::Value, figures: serde_json::Value) {
    if let (Some(row), serde_json::Value::Object(figures)) = (row.as_object_mut(), figures) {
        row.extend(figures);
    }
}

fn measure(work: &Workload) -> Result<serde_json::Value, Error> {
    let device = harness::open();
    let start = Instant::now();
    let training = work.training()?;
    let graphed = start.elapsed();
    let plan = Plan::new(&training.graph, &[training.loss], device.caps())?;
    let planned = start.elapsed();
    let dispatches = plan.dispatches().len();
    let mut kernels = HashSet::new();
    for dispatch in plan.dispatches() {
        kernels.insert(dispatch.kernel.source()?);
    }
    let start = Instant::now();
    let mut trainer = Trainer::new(&device, work, training, plan)?;
    let built = start.elapsed();
    let mut step = || -> Result<f64, Error> {
        let start = Instant::now();
        trainer.session.step()?;
        trainer.session.wait()?;
        Ok(start.elapsed().as_secs_f64())
    };
    let (first, second) = (step()?, step()?);
    Ok(json!({
        "dispatches": dispatches,
        "kernels": kernels.len(),
        "graph_seconds": graphed.as_secs_f64(),
        "plan_seconds": (planned - graphed).as_secs_f64(),
        "session_seconds": built.as_secs_f64(),
        "first_step_seconds": first,
        "second_step_seconds": second,
    }))
}
