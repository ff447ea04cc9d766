//! The part `profiles`: the time of each node of whole training steps, and the gaps between their dispatches.

use crate::compile::merge;
use crate::harness::device;
use crate::mixed;
use crate::networks::{PROFILED, PROFILED_BY_SOFTWARE, Trainer, Workload};
use crate::results::{Results, median};
use crate::throughput::clock;
use serde_json::{Value, json};
use std::time::Instant;
use wgrad::Error;
use wgrad::session::{Bound, Profile};

/// Steps that a profile is of.
const STEPS: usize = 10;
/// The same on a software adapter.
const STEPS_BY_SOFTWARE: usize = 2;

/// Writes the part.
pub fn run(results: &mut Results) -> Result<(), Error> {
    let software = device().summary().software;
    let all = if software { PROFILED_BY_SOFTWARE } else { PROFILED };
    let mut add = |work: &Workload, name: String, trainer: Result<Trainer, Error>| {
        let mut row = work.json();
        row["name"] = name.as_str().into();
        let steps = if software { STEPS_BY_SOFTWARE } else { STEPS };
        match trainer.and_then(|trainer| measure(trainer, steps)) {
            Ok(figures) => merge(&mut row, figures),
            Err(error) => {
                results.wrong(format!("{name}: {error}"));
                row["error"] = error.to_string().into();
            }
        }
        results.row(row);
    };
    for work in all {
        add(work, work.name(), Trainer::planned(device(), work));
    }
    let device = mixed::open()?;
    if device.caps().f16 {
        // The small network's time is between its dispatches.
        for work in all.iter().filter(|work| work.network != "seed") {
            add(work, format!("{}, in mixed precision", work.name()), Trainer::mixed(&device, work));
        }
    }
    Ok(())
}

fn measure(mut trainer: Trainer, steps: usize) -> Result<Value, Error> {
    trainer.session.step()?;
    trainer.session.step()?;
    trainer.session.wait()?;
    let start = Instant::now();
    for _ in 0..steps {
        trainer.session.step()?;
    }
    trainer.session.wait()?;
    let plain = start.elapsed().as_secs_f64() / steps as f64;
    let profile = trainer.session.profile(steps)?;
    let nodes: Vec<Value> = profile
        .nodes
        .iter()
        .map(|node| {
            let (share, bound) = node.share_of_peak(&profile.peaks);
            json!({
                "node": node.node,
                "operator": node.operator,
                "variant": node.variant,
                "seconds": node.seconds,
                "flops": node.flops,
                "bytes": node.traffic.total(),
                "least_bytes": node.traffic.least(),
                "share_of_peak": share,
                "bound": match bound { Bound::Compute => "compute", _ => "memory" },
                "dispatches": node.dispatches.iter().map(|dispatch| json!({
                    "kernel": dispatch.kernel,
                    "workgroups": dispatch.workgroups,
                    "seconds": dispatch.seconds,
                })).collect::<Vec<_>>(),
            })
        })
        .collect();
    let [whole, gaps] = gaps(&profile);
    Ok(json!({
        "clock": clock(&profile),
        "steps": profile.steps(),
        "dispatches": trainer.session.plan().dispatches().len(),
        "groups": trainer.session.plan().groups().len(),
        "plain_step_seconds": plain,
        "profiled_step_seconds": whole,
        "dispatch_seconds": profile.seconds(),
        "gap_seconds": gaps,
        "nodes": nodes,
    }))
}

/// Seconds from the start of a step's first dispatch to the end of its last, and those of them in which no dispatch ran:
/// medians of the steps.
fn gaps(profile: &Profile) -> [f64; 2] {
    let trace: Value = serde_json::from_str(&profile.trace()).unwrap_or_default();
    let events = trace["traceEvents"].as_array().map_or(&[][..], Vec::as_slice);
    let seconds = |event: &Value| event["dur"].as_f64().unwrap_or(0.0) / 1e6;
    // A step's event comes before those of its dispatches.
    let mut steps: Vec<[f64; 2]> = Vec::new();
    for event in events {
        match (event["cat"].as_str(), steps.last_mut()) {
            (Some("step"), _) => steps.push([seconds(event); 2]),
            (Some("dispatch"), Some([_, gap])) => *gap -= seconds(event),
            _ => {}
        }
    }
    [0, 1].map(|i| median(steps.iter().map(|step| step[i]).collect()))
}
