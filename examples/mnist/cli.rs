//! The command line: options, their defaults, and errors.

use lexopt::prelude::*;
use std::ffi::OsString;
use std::path::PathBuf;
use std::str::FromStr;
use wgrad::optim;

pub const HELP: &str = "\
Trains a convolutional network on MNIST, or on any data set of grey images in its format, on the GPU.

Usage: cargo run --release --example mnist -- [options]

Training
  --epochs N          passes over the training images; 0 only evaluates (default 1)
  --max-steps N       stop after this many steps, then evaluate
  --batch-size N      images a step (default 64)
  --optimizer NAME    sgd (momentum 0.9), adam or adamw (default sgd)
  --learning-rate X   default 0.01 for sgd, 0.001 for adam and adamw
  --schedule NAME     cosine (the rate falls to zero along half a cosine over all epochs) or constant
                      (default cosine)
  --dropout P         probability of dropping a unit before the last layer (default 0)
  --seed N            of weights, order of images and dropout (default 0)

Files
  --data DIR          the four data files under MNIST's names, plain or .gz (default: MNIST, as it comes with the source)
  --load FILE         start from these weights (safetensors, PyTorch's names)
  --save FILE         write the trained weights
  --checkpoint FILE   after each epoch write everything that training resumes from (safetensors; --load takes it too)
  --resume FILE       resume from this checkpoint, with the options that it was written under; epochs and --max-steps
                      count from the beginning, plots and reports cover the steps from here on
  --plot FILE         draw the curves of loss and accuracy (PNG)
  --report FILE       write measurements (JSON; accuracies from 0 to 1, sizes in bytes)
  --profile FILE      at the end time each node of a training step, print a table and write a trace of the steps
                      (JSON, for ui.perfetto.dev)

Running
  --adapter NAME      take the adapter whose name contains this
  --tune FILE         take the fastest kernels for this adapter: those that FILE names, or else measure them, which
                      takes some seconds, and add them to FILE (JSON)
  --verify            first check every kernel of one step against the CPU reference
  --no-watch          don't look for the first node of a step whose output is not finite
  --no-progress       no progress bar
  --help              this text
";

/// The optimizers to choose from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Optimizer {
    Sgd,
    Adam,
    AdamW,
}

/// How the learning rate changes over a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Schedule {
    Constant,
    Cosine,
}

impl Schedule {
    /// The schedule that starts from this learning rate, over `steps` steps.
    pub fn of(self, rate: f32, steps: u64) -> wgrad::Result<optim::Schedule> {
        match self {
            Schedule::Constant => optim::Schedule::constant(rate.into()),
            Schedule::Cosine => optim::Schedule::cosine(rate.into(), steps, 0.0),
        }
    }
}

/// All options.
#[derive(Clone, Debug)]
pub struct Options {
    pub epochs: u64,
    pub max_steps: Option<u64>,
    pub batch_size: usize,
    pub optimizer: Optimizer,
    pub learning_rate: f32,
    pub schedule: Schedule,
    pub dropout: f64,
    pub seed: u64,
    pub data: PathBuf,
    pub load: Option<PathBuf>,
    pub save: Option<PathBuf>,
    pub checkpoint: Option<PathBuf>,
    pub resume: Option<PathBuf>,
    pub plot: Option<PathBuf>,
    pub report: Option<PathBuf>,
    pub profile: Option<PathBuf>,
    pub adapter: Option<String>,
    pub tune: Option<PathBuf>,
    pub verify: bool,
    pub watch: bool,
    pub progress: bool,
}

/// Parses the command line; `None` if it asks for help.
pub fn parse(arguments: impl Iterator<Item = OsString>) -> Result<Option<Options>, String> {
    let mut options = Options {
        epochs: 1,
        max_steps: None,
        batch_size: 64,
        optimizer: Optimizer::Sgd,
        learning_rate: 0.0,
        schedule: Schedule::Cosine,
        dropout: 0.0,
        seed: 0,
        data: PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/data/mnist")),
        load: None,
        save: None,
        checkpoint: None,
        resume: None,
        plot: None,
        report: None,
        profile: None,
        adapter: None,
        tune: None,
        verify: false,
        watch: true,
        progress: true,
    };
    let mut learning_rate = None;
    let mut parser = lexopt::Parser::from_args(arguments);
    while let Some(argument) = parser.next().map_err(explain)? {
        let option = match argument {
            Short('h') => "--help".to_owned(),
            Long(name) => format!("--{name}"),
            Short(letter) => return Err(unknown(&format!("-{letter}"))),
            Value(value) => {
                return Err(format!(
                    "unexpected argument \"{}\"; options start with --, see --help",
                    value.display()
                ));
            }
        };
        match option.as_str() {
            "--help" => return Ok(None),
            "--epochs" => {
                options.epochs =
                    number(&mut parser, &option, "a whole number from 0 to 100000", |&n| n <= 100_000)?
            }
            "--max-steps" => {
                options.max_steps =
                    Some(number(&mut parser, &option, "a whole number of at least 1", |&n| n >= 1)?);
            }
            "--batch-size" => {
                options.batch_size = number(&mut parser, &option, "a whole number from 1 to 1000000", |n| {
                    (1..=1_000_000).contains(n)
                })?;
            }
            "--optimizer" => {
                let names = [("sgd", Optimizer::Sgd), ("adam", Optimizer::Adam), ("adamw", Optimizer::AdamW)];
                options.optimizer = one_of(&mut parser, &option, &names)?;
            }
            "--schedule" => {
                let names = [("cosine", Schedule::Cosine), ("constant", Schedule::Constant)];
                options.schedule = one_of(&mut parser, &option, &names)?;
            }
            "--learning-rate" => {
                learning_rate = Some(number(&mut parser, &option, "a number above 0", |&x: &f32| {
                    x > 0.0 && x.is_finite()
                })?);
            }
            "--dropout" => {
                options.dropout =
                    number(&mut parser, &option, "a number from 0 to below 1", |x| (0.0..1.0).contains(x))?;
            }
            "--seed" => {
                options.seed = number(&mut parser, &option, "a whole number from 0 to 2^64 - 1", |_| true)?
            }
            "--data" => options.data = value(&mut parser, &option)?.into(),
            "--load" => options.load = Some(value(&mut parser, &option)?.into()),
            "--save" => options.save = Some(value(&mut parser, &option)?.into()),
            "--checkpoint" => options.checkpoint = Some(value(&mut parser, &option)?.into()),
            "--resume" => options.resume = Some(value(&mut parser, &option)?.into()),
            "--plot" => options.plot = Some(value(&mut parser, &option)?.into()),
            "--report" => options.report = Some(value(&mut parser, &option)?.into()),
            "--profile" => options.profile = Some(value(&mut parser, &option)?.into()),
            "--adapter" => {
                options.adapter = Some(value(&mut parser, &option)?.to_string_lossy().into_owned())
            }
            "--tune" => options.tune = Some(value(&mut parser, &option)?.into()),
            "--verify" => options.verify = true,
            "--no-watch" => options.watch = false,
            "--no-progress" => options.progress = false,
            other => return Err(unknown(other)),
        }
    }
    options.learning_rate = learning_rate.unwrap_or(match options.optimizer {
        Optimizer::Sgd => 0.01,
        Optimizer::Adam | Optimizer::AdamW => 0.001,
    });
    check(&options)?;
    Ok(Some(options))
}

/// Checks combinations of options.
fn check(options: &Options) -> Result<(), String> {
    if let Some(plot) = &options.plot {
        if !plot.extension().is_some_and(|e| e.eq_ignore_ascii_case("png")) {
            return Err(format!("--plot \"{}\": pictures are PNG; let the name end in .png", plot.display()));
        }
        if options.epochs == 0 {
            return Err("--plot: without training there are no curves; leave it out or set --epochs".into());
        }
    }
    if options.load.is_some() && options.resume.is_some() {
        return Err("--load and --resume both say what to start from; give one".into());
    }
    let outputs = [
        ("--save", &options.save),
        ("--checkpoint", &options.checkpoint),
        ("--plot", &options.plot),
        ("--report", &options.report),
        ("--profile", &options.profile),
        ("--tune", &options.tune),
    ];
    for (i, (option, path)) in outputs.iter().enumerate() {
        for (other, other_path) in &outputs[..i] {
            if path.is_some() && path == other_path {
                return Err(format!("{other} and {option} name the same file; give each its own"));
            }
        }
    }
    Ok(())
}

fn one_of<T: Copy>(parser: &mut lexopt::Parser, option: &str, names: &[(&str, T)]) -> Result<T, String> {
    let name = value(parser, option)?;
    let found = names.iter().find(|(known, _)| name.to_str() == Some(known));
    found.map(|&(_, choice)| choice).ok_or_else(|| {
        let known: Vec<&str> = names.iter().map(|(known, _)| *known).collect();
        format!("{option} \"{}\": expected {}", name.display(), known.join(" or "))
    })
}

fn number<T: FromStr>(
    parser: &mut lexopt::Parser,
    option: &str,
    expected: &str,
    allowed: impl Fn(&T) -> bool,
) -> Result<T, String> {
    let text = value(parser, option)?;
    text.to_str()
        .and_then(|text| text.parse().ok())
        .filter(allowed)
        .ok_or_else(|| format!("{option} \"{}\": expected {expected}", text.display()))
}

fn value(parser: &mut lexopt::Parser, option: &str) -> Result<OsString, String> {
    let value = parser.value().map_err(explain)?;
    // An empty value usually is a shell variable that was not set.
    if value.is_empty() { Err(format!("{option} needs a value, found an empty one")) } else { Ok(value) }
}

fn unknown(option: &str) -> String {
    format!("unknown option {option}; --help lists them")
}

fn explain(error: lexopt::Error) -> String {
    match error {
        lexopt::Error::MissingValue { option } => {
            format!("{} needs a value; see --help", option.unwrap_or_else(|| "the option".into()))
        }
        lexopt::Error::UnexpectedValue { option, value } => {
            format!("{option} takes no value, found \"{}\"", value.display())
        }
        other => other.to_string(),
    }
}
