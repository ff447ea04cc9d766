//! The command line.

use clap::Parser;
use std::path::PathBuf;

/// Trains airbench94 on CIFAR-10, on the GPU, and evaluates it over six views of each image.
#[derive(Parser, Clone, Debug)]
#[command(name = "cifar10", max_term_width = 110)]
pub(crate) struct Options {
    /// CIFAR-10's binary version: the archive, or the folder with its files
    /// (https://www.cs.toronto.edu/~kriz/cifar.html)
    #[arg(long, value_name = "PATH", default_value = "cifar-10-binary.tar.gz")]
    pub(crate) data: PathBuf,
    /// Train the filters by Muon, as in the later record, and the rest by gradient descent without Lookahead
    #[arg(long)]
    pub(crate) muon: bool,
    /// Passes over the training images [default: 9.9, or 8 with --muon]
    #[arg(long, value_name = "X", value_parser = epochs)]
    pub(crate) epochs: Option<f64>,
    /// Images a step [default: 1024, or 2000 with --muon]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) batch_size: Option<u32>,
    /// Seed of weights, order of images and augmentation
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) seed: u64,
    /// Where the weights go (safetensors)
    #[arg(long, value_name = "FILE", default_value = "cifar10.safetensors")]
    pub(crate) out: PathBuf,
    /// Take the adapter whose name contains this
    #[arg(long, value_name = "NAME")]
    pub(crate) adapter: Option<String>,
    /// No progress bar
    #[arg(long)]
    pub(crate) no_progress: bool,
}

fn epochs(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|&x: &f64| x > 0.0 && x <= 100_000.0);
    number.ok_or_else(|| "expected a number above 0, at most 100000".into())
}
