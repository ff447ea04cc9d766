//! Prints a network's layers with their outputs, parameters, multiply-adds and bytes, without a GPU.
//!
//! `cargo run --release --example summary -- resnet18 32` is for 32 images of the network's published size.
//! Two more numbers set another height and width.

#[path = "help/mod.rs"]
mod help;
mod networks;

use std::io::Write;
use std::process::ExitCode;
use wgrad::nn::{Layer, Sequential};
use wgrad::{Error, Graph, Mode};

const HELP: &str = "\
usage: summary [NETWORK [IMAGES [HEIGHT [WIDTH]]]]
  NETWORK       a network of nn::models, such as resnet18 (default lenet5)
  IMAGES        images of a batch (default 1)
  HEIGHT WIDTH  of an image; by default those that the network was published with, and equal
";

fn main() -> ExitCode {
    help::answer(HELP);
    let arguments: Vec<String> =
        std::env::args_os().skip(1).map(|argument| argument.to_string_lossy().into_owned()).collect();
    match summary(&arguments) {
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

fn summary(arguments: &[String]) -> Result<String, String> {
    let (network, images) = networks::of(arguments, "lenet5")?;
    summarise(&network, images).map_err(|error| error.to_string())
}

fn summarise(network: &Sequential, images: [usize; 4]) -> Result<String, Error> {
    let mut graph = Graph::new();
    let images = graph.input("images", images)?;
    let logits = network.forward(&mut graph, images, Mode::Eval)?;
    graph.summary(logits).map(|summary| summary.to_string())
}
