//! The command line.

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, ValueEnum};
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Trains a convolutional network on MNIST, or on any data set of grey images in its format, on the GPU.
#[derive(Parser, Clone, Debug)]
#[command(name = "mnist", max_term_width = 110, args_override_self = true)]
pub struct Options {
    /// Passes over the training images; 0 only evaluates
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(0..=100_000))]
    pub epochs: u64,
    /// Stop after this many steps, then evaluate
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub max_steps: Option<u64>,
    /// Images a step
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub batch_size: u32,
    /// Parts of a batch whose gradients are summed, on one process or shared by those that mpirun starts [default: as many as
    /// processes]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub micro_batches: Option<u32>,
    /// The optimizer; sgd has momentum 0.9
    #[arg(long, value_name = "NAME", default_value = "sgd")]
    pub optimizer: Optimizer,
    /// 0.01 by default for sgd, 0.001 for adam and adamw
    #[arg(long, value_name = "X", value_parser = |text: &str| number(text, "above 0", |x: f32| x > 0.0 && x.is_finite()))]
    pub learning_rate: Option<f32>,
    /// How the rate changes: to zero along half a cosine over all epochs, or not
    #[arg(long, value_name = "NAME", default_value = "cosine")]
    pub schedule: Shape,
    /// Probability of dropping a unit before the last layer
    #[arg(long, value_name = "P", default_value_t = 0.0, value_parser = |text: &str| number(text, "from 0 to below 1", |x: f64| (0.0..1.0).contains(&x)))]
    pub dropout: f64,
    /// Seed of weights, order of images and dropout
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
    /// The four data files under MNIST's names, plain or .gz [default: MNIST, as it comes with the source]
    #[arg(long, value_name = "DIR", default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/data/mnist"), hide_default_value = true)]
    pub data: PathBuf,
    /// Start from these weights (safetensors, PyTorch's names)
    #[arg(long, value_name = "FILE", conflicts_with = "resume")]
    pub load: Option<PathBuf>,
    /// Write the trained weights
    #[arg(long, value_name = "FILE")]
    pub save: Option<PathBuf>,
    /// After each epoch write everything that training resumes from (--load takes it too)
    #[arg(long, value_name = "FILE")]
    pub checkpoint: Option<PathBuf>,
    /// Resume from this checkpoint, with the options that it was written under
    #[arg(long, value_name = "FILE")]
    pub resume: Option<PathBuf>,
    /// Draw the curves of loss and accuracy (PNG)
    #[arg(long, value_name = "FILE")]
    pub plot: Option<PathBuf>,
    /// Draw the digits that were read most wrongly (PNG)
    #[arg(long, value_name = "FILE")]
    pub wrong: Option<PathBuf>,
    /// Write the logits of the test images (CSV, a line for each image)
    #[arg(long, value_name = "FILE")]
    pub logits: Option<PathBuf>,
    /// Write measurements (JSON; accuracies from 0 to 1, sizes in bytes)
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// At the end time each node of a training step, and write a trace (JSON, for ui.perfetto.dev)
    #[arg(long, value_name = "FILE")]
    pub profile: Option<PathBuf>,
    /// Take the adapter whose name contains this
    #[arg(long, value_name = "NAME")]
    pub adapter: Option<String>,
    /// Take the fastest kernels for this adapter: those that the file names, or else measure them and add them (JSON)
    #[arg(long, value_name = "FILE")]
    pub tune: Option<PathBuf>,
    /// First check every kernel of one step against the CPU reference
    #[arg(long)]
    pub verify: bool,
    /// Keep what layers compute and its gradients in f16, and scale the loss
    #[arg(long)]
    pub mixed: bool,
    /// Don't look for the first node of a step whose output is not finite
    #[arg(long)]
    pub no_watch: bool,
    /// No progress bar
    #[arg(long)]
    pub no_progress: bool,
}

#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum Optimizer {
    Sgd,
    Adam,
    Adamw,
}

#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shape {
    Constant,
    Cosine,
}

fn number<T: FromStr + Copy>(text: &str, expected: &str, allowed: impl Fn(T) -> bool) -> Result<T, String> {
    let number = text.parse().ok().filter(|&x: &T| allowed(x));
    number.ok_or_else(|| format!("expected a number {expected}"))
}

impl Options {
    /// Reads the command line. Ends the program if it asks for help or makes no sense.
    pub fn read() -> Options {
        let options = Options::parse();
        if let Err(message) = options.check() {
            Options::command().error(ErrorKind::ArgumentConflict, message).exit();
        }
        options
    }

    fn check(&self) -> Result<(), String> {
        let outputs: Vec<(&str, &Path)> = self.outputs().collect();
        for (i, (option, path)) in outputs.iter().enumerate() {
            if let Some((other, _)) = outputs[..i].iter().find(|(_, other)| other == path) {
                return Err(format!("--{other} and --{option} name the same file; give each its own"));
            }
        }
        Ok(())
    }

    /// The files that a run writes, each with its option.
    pub fn outputs(&self) -> impl Iterator<Item = (&'static str, &Path)> {
        let weights = [("save", &self.save), ("checkpoint", &self.checkpoint)];
        let pictures = [("plot", &self.plot), ("wrong", &self.wrong)];
        let texts = [
            ("logits", &self.logits),
            ("report", &self.report),
            ("profile", &self.profile),
            ("tune", &self.tune),
        ];
        let all = weights.into_iter().chain(pictures).chain(texts);
        all.filter_map(|(option, path)| Some((option, path.as_deref()?)))
    }

    /// The learning rate at the start.
    pub fn rate(&self) -> f32 {
        self.learning_rate.unwrap_or(if self.optimizer == Optimizer::Sgd { 0.01 } else { 0.001 })
    }
}
