//! Prints a network's layers with their outputs, parameters, multiply-adds and bytes, without a GPU.
//!
//! `cargo run --release --example summary -- resnet18 32` is for 32 images of the network's published size.
//! Two more numbers set another height and width.

use std::io::Write;
use std::process::ExitCode;
use wgrad::nn::{Layer, Sequential, models};
use wgrad::{Error, Graph, Mode};

/// A network's name, its constructor from `inputs` channels and `classes`, and the published values of these
/// two and of the image size.
type Model = (&'static str, fn(usize, usize) -> Sequential, [usize; 2], usize);

const MODELS: [Model; 10] = [
    ("lenet5", models::lenet5, [1, 10], 28),
    ("mobilenet_v2", models::mobilenet_v2, [3, 1000], 224),
    ("resnet18", models::resnet18, [3, 1000], 224),
    ("resnet34", models::resnet34, [3, 1000], 224),
    ("resnet50", models::resnet50, [3, 1000], 224),
    ("unet", |inputs, classes| models::unet(inputs, classes, 32), [3, 1], 256),
    ("vgg11", models::vgg11, [3, 1000], 224),
    ("vgg11_bn", models::vgg11_bn, [3, 1000], 224),
    ("vgg16", models::vgg16, [3, 1000], 224),
    ("vgg16_bn", models::vgg16_bn, [3, 1000], 224),
];

fn main() -> ExitCode {
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
    let name = arguments.first().map_or("lenet5", String::as_str);
    let known = || MODELS.map(|(name, ..)| name).join(", ");
    let &(_, build, [inputs, classes], size) = MODELS
        .iter()
        .find(|(known, ..)| *known == name)
        .ok_or_else(|| format!("\"{name}\" is no network; expected {}", known()))?;
    let number = |at: usize, default: usize| match arguments.get(at) {
        None => Ok(default),
        Some(text) => text.parse().map_err(|_| format!("\"{text}\" is no number")),
    };
    let images = [number(1, 1)?, inputs, number(2, size)?, number(3, size)?];
    summarise(&build(inputs, classes), images).map_err(|error| error.to_string())
}

fn summarise(network: &Sequential, images: [usize; 4]) -> Result<String, Error> {
    let mut graph = Graph::new();
    let images = graph.input("images", images)?;
    let logits = network.forward(&mut graph, images, Mode::Eval)?;
    graph.summary(logits).map(|summary| summary.to_string())
}
