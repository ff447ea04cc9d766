//! Classifies signals: convolutions over time learn to tell sine, square, sawtooth and chirp apart in noise. The network is
//! saved with all that a program needs to read other signals with it.

#[path = "../program/mod.rs"]
mod program;
mod signals;

use program::{Outcome, say};
use signals::{KINDS, LENGTH, signals};
use std::path::PathBuf;
use wgrad::data::{Dataset, Field, Tensors};
use wgrad::optim::{AdamW, Schedule};
use wgrad::train::{Confusion, Lines, Supervised, Trainer};
use wgrad::weights::Metadata;
use wgrad::{DType, Device, HostData, nn};

const HELP: &str = "\
usage: signal [--signals N] [--noise X] [--epochs N] [--out FILE]
       signal --read FILE [--out FILE]
  --signals N  signals to train on (default 4000)
  --noise X    standard deviation of the noise; waves are about 1 high (default 1)
  --epochs N   passes over them (default 8)
  --out FILE   where the network goes, or is (default signal.safetensors)
  --read FILE  says what the signal in this file is: 256 numbers, with white space between them
";

fn main() -> std::process::ExitCode {
    program::end(run())
}

fn run() -> Outcome<()> {
    let Some(options) = options()? else {
        say!("{}", HELP.trim_end());
        return Ok(());
    };
    match &options.read {
        Some(path) => read(&options, path),
        None => train(&options),
    }
}

/// From (N, 1, length) to logits. Only the last layers know how long a signal is.
fn network(classes: usize) -> nn::Sequential {
    let mut net = nn::Sequential::new();
    for (i, [from, to]) in [[1, 16], [16, 32], [32, 64]].into_iter().enumerate() {
        net = net
            .add(format!("conv{i}"), nn::Conv1d::new(from, to, 9).padding(4).bias(false))
            .add(format!("bn{i}"), nn::BatchNorm::new(to))
            .add(format!("relu{i}"), nn::Relu)
            .add(format!("pool{i}"), nn::MaxPool1d::new(4));
    }
    net.add("flatten", nn::Flatten).add("fc", nn::Linear::new(LENGTH / 64 * 64, classes))
}

fn train(options: &Options) -> Outcome<()> {
    wgrad::file::check_writable(&options.out)?;
    let device = Device::open()?;
    say!("{}", device.summary());
    let (train, test) = (signals(options.signals, options.noise, 1)?, signals(1000, options.noise, 2)?);
    let mut trainer = Trainer::new(&device, Supervised::classifier(network(KINDS.len())))
        .optimizer(|g, loss, rate| AdamW::new(rate).weight_decay(0.01).minimize(g, loss))
        .schedule(|steps| Schedule::cosine(0.003, steps, 0.0))
        .batch_size(50)
        .epochs(options.epochs)
        .unit("signals")
        .metric(Confusion)
        .callback(Lines::new());
    let history = trainer.fit(&train, Some(&test))?;
    say!("{history}");
    let found = history.evaluation().and_then(|found| found.confusion.as_ref());
    let matrix = found.ok_or("the metric makes a matrix")?;
    say!("\n{}", matrix.table(test.class_names()).trim_end());
    say!("\nrows are {}; columns, what they were taken for\n{matrix}", KINDS.join(", "));
    let f1 = matrix.mean(wgrad::train::ConfusionMatrix::f1);
    say!("{} unseen signals: accuracy {:.4}, mean F1 {f1:.4}", test.len(), matrix.accuracy());

    let weights = trainer.weights()?;
    // It has the names of the classes already, from the data set.
    let mut metadata = weights.metadata();
    metadata.input_shape = Some([1, LENGTH].into());
    metadata.notes.insert("noise".into(), options.noise.to_string());
    weights.set_metadata(metadata)?;
    weights.save(&options.out)?;
    say!(
        "{} is written; signal --read FILE reads a signal with it",
        wgrad::file::printable_path(&options.out)
    );
    Ok(())
}

/// Says what a signal is, by the network alone.
fn read(options: &Options, path: &PathBuf) -> Outcome<()> {
    let name = wgrad::file::printable_path(path);
    let text = std::fs::read_to_string(path).map_err(|error| format!("{name}: {error}"))?;
    let numbers: Vec<f32> = text
        .split_whitespace()
        .map(|word| word.parse().map_err(|_| format!("{name}: found \"{word}\", expected a number")))
        .collect::<Result<_, String>>()?;
    if numbers.len() != LENGTH {
        return Err(format!("{name}: found {} numbers, expected {LENGTH}", numbers.len()).into());
    }
    let classes = Metadata::read(&options.out)?.class_names;
    let signal = Tensors::new([(Field::new("signal", [1, LENGTH], DType::F32), HostData::F32(numbers))])?;
    let task = Supervised::classifier(network(classes.len()));
    let logits = Trainer::new(&Device::open()?, task).load(&options.out).predict(&signal)?.to_f64();
    let all: f64 = logits.iter().map(|logit| logit.exp()).sum();
    let mut ranked: Vec<(&String, f64)> = classes.iter().zip(logits.iter().map(|x| x.exp() / all)).collect();
    ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
    let ranked: Vec<String> = ranked.iter().map(|(class, p)| format!("{class} {:.1} %", 100.0 * p)).collect();
    say!("{name}: {}", ranked.join(", "));
    Ok(())
}

struct Options {
    signals: usize,
    noise: f32,
    epochs: u64,
    out: PathBuf,
    read: Option<PathBuf>,
}

/// `None` if the user asks for help.
fn options() -> Result<Option<Options>, lexopt::Error> {
    use lexopt::prelude::*;
    let out = "signal.safetensors".into();
    let mut options = Options { signals: 4000, noise: 1.0, epochs: 8, out, read: None };
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        let number = |parser: &mut lexopt::Parser| parser.value()?.parse::<std::num::NonZeroU32>();
        match argument {
            Long("signals") => options.signals = number(&mut parser)?.get() as usize,
            Long("noise") => options.noise = parser.value()?.parse()?,
            Long("epochs") => options.epochs = number(&mut parser)?.get().into(),
            Long("out") => options.out = parser.value()?.into(),
            Long("read") => options.read = Some(parser.value()?.into()),
            Long("help") | Short('h') => return Ok(None),
            _ => return Err(argument.unexpected()),
        }
    }
    Ok(Some(options))
}
