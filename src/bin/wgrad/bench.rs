//! `wgrad bench`: how long a step of a network takes on an adapter. Each step is waited for, so it is the time from writing the
//! inputs to the answer; steps that overlap are faster on a GPU.

use crate::adapter::{self, described};
use crate::model::{Named, write};
use crate::out::{self, Outcome};
use crate::precision;
use serde_json::{Map, Value as Json, json};
use std::path::PathBuf;
use std::time::Instant;
use wgrad::session::ProfiledNode;
use wgrad::{HostTensor, Plan, Session, Value, Weights};

/// Times a network: the forward pass, or a training step
///
/// Inputs look random. Each step is timed from writing its inputs until the device has finished. The first step, which also
/// compiles on some drivers, and the warm-up do not count.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  wgrad bench resnet18 --batch 8\n  wgrad bench --train --input 3x64x64 mobilenet_v2\n  wgrad bench mobilenet.onnx --json\n  wgrad bench resnet18 --profile --trace resnet18.json"
)]
pub(crate) struct Arguments {
    #[command(flatten)]
    named: Named,
    /// Time a training step by SGD with momentum instead of the forward pass
    #[arg(long)]
    train: bool,
    #[command(flatten)]
    precision: precision::Wanted,
    /// Inputs of a step; 1 by default, or what an ONNX file fixes
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    batch: Option<u32>,
    /// Steps to time
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    steps: u32,
    /// Steps before that
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(0..=100_000))]
    warm_up: u32,
    /// Time every node too, over as many steps again, and print a table of them
    #[arg(long)]
    profile: bool,
    /// Write the time of every dispatch of these steps to a file for <https://ui.perfetto.dev>
    #[arg(long, value_name = "FILE", requires = "profile")]
    trace: Option<PathBuf>,
    #[command(flatten)]
    adapter: adapter::Wanted,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// What is timed: its plan's graph on a device, and what its inputs are filled with.
struct Work {
    session: Session,
    filled: Vec<(Value, HostTensor)>,
    batch: usize,
    /// Seconds that the plan and the session took.
    opening: [f64; 2],
}

pub(crate) fn run(arguments: &Arguments) -> Outcome<()> {
    let model = arguments.named.read()?;
    if let Some(path) = &arguments.trace {
        model.spare(path)?;
        wgrad::file::check_writable(path)?;
    }
    let device = arguments.adapter.open_for(arguments.precision)?;
    let batch = arguments.batch.map(|batch| batch as usize);
    let (built, filled) = model.build_filled(arguments.train, batch, 1, arguments.precision)?;
    let start = Instant::now();
    let plan =
        Plan::with_options(&built.graph, &built.outputs, device.caps(), &arguments.precision.options())?;
    let planned = start.elapsed().as_secs_f64();
    let weights = Weights::init(&device, &built.graph, 0)?;
    model.load(&built, &weights)?;
    let start = Instant::now();
    let session = Session::new(&device, plan, &weights)?;
    let opening = [planned, start.elapsed().as_secs_f64()];
    let mut work = Work { session, filled, batch: built.batch, opening };

    let first = work.step()?;
    for _ in 0..arguments.warm_up {
        work.step()?;
    }
    let mut times = (0..arguments.steps).map(|_| work.step()).collect::<Outcome<Vec<f64>>>()?;
    times.sort_by(f64::total_cmp);

    let at = |share: f64| quantile(&times, share);
    let median = at(0.5);
    let rate = work.batch as f64 / median;
    let mode = if arguments.train { "training" } else { "forward" };
    let [plan, kernels] = work.opening;
    let bytes = work.session.plan().device_bytes();
    let total: u64 = bytes.values().sum();
    let allocated = device.allocations().map(|(_, bytes)| bytes);
    let profile = arguments.profile.then(|| work.session.profile(arguments.steps as usize)).transpose()?;
    if let (Some(profile), Some(path)) = (&profile, &arguments.trace) {
        profile.save_trace(path)?;
    }
    if arguments.json {
        let mut memory: Map<String, Json> =
            bytes.iter().map(|(kind, bytes)| (kind.name().to_owned(), json!(bytes))).collect();
        memory.insert("total".into(), json!(total));
        return out::json(&json!({
            "adapter": described(device.summary()),
            "model": model.name,
            "random_weights": model.is_random(),
            "mode": mode,
            "precision": arguments.precision.name(),
            "batch": work.batch,
            "input": model.item(),
            "warm_up": arguments.warm_up,
            "steps": arguments.steps,
            "seconds": {
                "plan": plan,
                "kernels": kernels,
                "first_step": first,
                "median": median,
                "least": at(0.0),
                "lower_quartile": at(0.25),
                "upper_quartile": at(0.75),
                "most": at(1.0),
            },
            "images_per_second": rate,
            "memory": { "planned_bytes": memory, "allocated_bytes": allocated },
            "nodes": profile.map(|profile| profile.nodes.iter().map(profiled).collect::<Vec<_>>()),
        }));
    }
    let of = if model.is_random() { ", random weights" } else { "" };
    let kinds: Vec<String> =
        bytes.iter().map(|(kind, bytes)| format!("{} {}", kind.name(), mib(*bytes))).collect();
    out::text(&format!(
        "adapter: {}\n{}{of}: {mode}{}, batch {}\nplan {}, kernels {}, first step {}\nstep: {} in the median of {} ({} .. {}; half of them {} .. {})\n{} images per second\ndevice memory: {} planned ({}){}\n",
        device.summary(),
        model.name,
        arguments.precision.words(),
        work.batch,
        seconds(plan),
        seconds(kernels),
        seconds(first),
        seconds(median),
        times.len(),
        seconds(at(0.0)),
        seconds(at(1.0)),
        seconds(at(0.25)),
        seconds(at(0.75)),
        digits(rate),
        mib(total),
        kinds.join(", "),
        allocated.map(|bytes| format!(", {} allocated", mib(bytes))).unwrap_or_default(),
    ))?;
    profile.map_or(Ok(()), |profile| out::text(&format!("\n{profile}")))
}

impl Work {
    /// Runs a step and returns how many seconds it took.
    fn step(&mut self) -> Outcome<f64> {
        let start = Instant::now();
        write(&mut self.session, &self.filled)?;
        self.session.step()?;
        self.session.wait()?;
        Ok(start.elapsed().as_secs_f64())
    }
}

/// What a node took, in JSON.
fn profiled(node: &ProfiledNode) -> Json {
    json!({
        "node": node.node,
        "operator": node.operator,
        "variant": node.variant,
        "seconds": node.seconds,
        "flops": node.flops,
        "bytes": node.traffic.total(),
    })
}

/// The number below which this share of sorted ones lies, between two of them where it falls there.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let place = share * (sorted.len() - 1) as f64;
    let (below, above) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
    below + (above - below) * place.fract()
}

/// Three digits, or all of a whole number.
fn digits(number: f64) -> String {
    match number {
        100.0.. => format!("{number:.0}"),
        10.0..100.0 => format!("{number:.1}"),
        _ => format!("{number:.2}"),
    }
}

fn seconds(seconds: f64) -> String {
    match seconds {
        1.0.. => format!("{} s", digits(seconds)),
        1e-3..1.0 => format!("{} ms", digits(1e3 * seconds)),
        _ => format!("{} us", digits(1e6 * seconds)),
    }
}

fn mib(bytes: u64) -> String {
    format!("{} MiB", digits(bytes as f64 / (1 << 20) as f64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_lie_between_times() {
        let times = [1.0, 2.0, 4.0, 8.0];
        assert_eq!([0.0, 0.25, 0.5, 1.0].map(|share| quantile(&times, share)), [1.0, 1.75, 3.0, 8.0]);
        assert_eq!(quantile(&[5.0], 0.75), 5.0);
    }

    #[test]
    fn figures_have_three_digits() {
        assert_eq!([1234.5, 12.34, 1.234].map(digits), ["1234", "12.3", "1.23"]);
        assert_eq!([2.5, 0.0125, 1e-5].map(seconds), ["2.50 s", "12.5 ms", "10.0 us"]);
    }
}
