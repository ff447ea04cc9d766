//! Prints the plan of the seed network's training step for any kind of adapter, without a GPU: kernels and
//! why they were chosen, fused operators, memory, and bytes moved.
//!
//! `cargo run --release --example plan -- discrete 64` plans for a discrete GPU and 64 images a step. Further
//! arguments name fusions to leave out; `none` leaves out all.

#[path = "../tests/harness/network.rs"]
#[allow(dead_code, reason = "tests need more of it")]
mod network;

use network::Training;
use std::io::Write;
use std::process::ExitCode;
use wgrad::op::AdapterKind;
use wgrad::plan::Fusion;
use wgrad::{Caps, Error, Plan, PlanOptions};

const KINDS: [AdapterKind; 4] =
    [AdapterKind::Discrete, AdapterKind::Integrated, AdapterKind::Apple, AdapterKind::Software];

fn main() -> ExitCode {
    let arguments: Vec<String> =
        std::env::args_os().skip(1).map(|argument| argument.to_string_lossy().into_owned()).collect();
    let plan = read(&arguments)
        .and_then(|(kind, batch, options)| plan(kind, batch, &options).map_err(|error| error.to_string()));
    match plan {
        Ok(plan) => {
            // The reader may have closed the pipe (`| head`).
            let _ = std::io::stdout().write_all(plan.to_string().as_bytes());
            ExitCode::SUCCESS
        }
        Err(message) => {
            let _ = writeln!(std::io::stderr(), "error: {}", wgrad::file::printable_message(&message));
            ExitCode::FAILURE
        }
    }
}

fn read(arguments: &[String]) -> Result<(AdapterKind, usize, PlanOptions), String> {
    let kind = arguments.first().map_or("software", String::as_str);
    let kind = KINDS
        .into_iter()
        .find(|known| known.to_string() == kind)
        .ok_or_else(|| format!("\"{kind}\" is no kind of adapter; expected {}", list(&KINDS)))?;
    let batch = match arguments.get(1) {
        None => 64,
        Some(text) => text.parse().map_err(|_| format!("\"{text}\" is no batch size"))?,
    };
    let mut options = PlanOptions::default();
    for name in arguments.iter().skip(2) {
        let named = |fusion: &Fusion| name == "none" || fusion.to_string() == *name;
        let mut found = Fusion::ALL.into_iter().filter(named).peekable();
        if found.peek().is_none() {
            return Err(format!("\"{name}\" is no fusion; expected none, {}", list(&Fusion::ALL)));
        }
        options = found.fold(options, PlanOptions::without);
    }
    Ok((kind, batch, options))
}

fn list<T: ToString>(items: &[T]) -> String {
    items.iter().map(T::to_string).collect::<Vec<_>>().join(", ")
}

fn plan(kind: AdapterKind, batch: usize, options: &PlanOptions) -> Result<Plan, Error> {
    let Training { graph, loss, .. } = network::training(batch)?;
    // A desktop GPU or driver offers subgroups and more than the eight buffers of a browser's default.
    let mut caps = Caps::webgpu_defaults(kind);
    caps.max_storage_buffers = 16;
    if kind == AdapterKind::Software {
        (caps.subgroups, caps.subgroup_size) = (true, 8);
    }
    Plan::with_options(&graph, &[loss], &caps, options)
}
