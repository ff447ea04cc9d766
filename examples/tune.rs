//! Measures the kernels of a network's training step on this adapter, and prints what each variant takes.
//!
//! `cargo run --release --example tune -- resnet18 8 64` is for 8 images of 64 x 64. A last argument that ends in
//! `.json` is the file of choices to read and add to.

#[path = "help/mod.rs"]
mod help;
mod networks;
#[path = "networks/training.rs"]
mod training;

use std::io::Write;
use std::process::ExitCode;
use std::time::Instant;
use training::{Training, training_of};
use wgrad::nn::Sequential;
use wgrad::tune::{Tuned, Tuner};
use wgrad::{Device, Error, PlanOptions};

const HELP: &str = "\
usage: tune [NETWORK [IMAGES [HEIGHT [WIDTH]]]] [FILE.json]
  NETWORK       a network of nn::models, such as resnet18 (default lenet5)
  IMAGES        images of a batch (default 1)
  HEIGHT WIDTH  of an image; by default those that the network was published with, and equal
  FILE.json     choices to read and add to
";

fn main() -> ExitCode {
    help::answer(HELP);
    let arguments: Vec<String> =
        std::env::args_os().skip(1).map(|argument| argument.to_string_lossy().into_owned()).collect();
    match run(arguments) {
        Ok(text) => {
            // The reader may have closed the pipe (`| head`).
            let _ = std::io::stdout().write_all(text.as_bytes());
            ExitCode::SUCCESS
        }
        Err(message) => {
            let _ = writeln!(std::io::stderr(), "error: {}", wgrad::file::printable_message(&message));
            ExitCode::FAILURE
        }
    }
}

fn run(mut arguments: Vec<String>) -> Result<String, String> {
    let file = arguments.pop_if(|last| last.ends_with(".json"));
    let (network, images) = networks::of(&arguments, "lenet5")?;
    let start = Instant::now();
    let tuned = tune(&network, images, file).map_err(|error| error.to_string())?;
    Ok(format!("{tuned}{} choices measured in {:.1?}\n", tuned.measured.len(), start.elapsed()))
}

/// A training step by SGD from random images, to as many classes or pixels as the network has.
fn tune(network: &Sequential, images: [usize; 4], file: Option<String>) -> Result<Tuned, Error> {
    let Training { graph, loss, .. } = training_of(network, images)?;
    let device = Device::open()?;
    let mut tuner = Tuner::new(&device).progress(|progress| {
        let _ = writeln!(std::io::stderr(), "{progress}");
    });
    if let Some(file) = file {
        tuner = tuner.file(file);
    }
    tuner.run(&graph, &[loss], &PlanOptions::default())
}
