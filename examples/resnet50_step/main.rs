//! One row of a comparison of training frameworks: a step of ResNet-50, forward and backward, on four random images of
//! 3 x 224 x 224. Prints times and memory, and compares the loss and norms of gradients with PyTorch's; ends with an error
//! where they differ. tests/fixtures/resnet50_step.py is the same step in PyTorch.

mod answers;
#[path = "../program/mod.rs"]
mod program;
mod step;

use answers::{Answers, Found};
use program::{Outcome, say};
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use step::{Batch, Network, SHAPE};
use wgrad::plan::BufferKind;
use wgrad::{Device, Plan, Session};

const HELP: &str = "\
usage: resnet50_step [--steps N] [--save FILE] [--answers FILE]
  --steps N       steps to time after the first one (default 5)
  --save FILE     writes weights, images and labels, for tests/fixtures/resnet50_step.py
  --answers FILE  compares with what that script wrote (default: what it wrote with PyTorch 2.9.1)
WGRAD_ADAPTER chooses the adapter. WGRAD_CACHE_DIR= and the driver's own setting, for Mesa
MESA_SHADER_CACHE_DISABLE=true, compile all kernels anew.
";

fn main() -> std::process::ExitCode {
    program::end(run())
}

fn run() -> Outcome<()> {
    let Some(options) = options()? else {
        say!("{}", HELP.trim_end());
        return Ok(());
    };
    if let Some(path) = &options.save {
        wgrad::file::check_writable(path)?;
    }
    let answers = Answers::read(options.answers.as_deref())?;
    let batch = Batch::random()?;

    let mut clock = Clock::start();
    let device = Device::open()?;
    clock.lap("device");
    let network = Network::new()?;
    let plan = Plan::new(&network.graph, &network.outputs(), device.caps())?;
    clock.lap("graph and plan");
    let weights = network.weights(&device)?;
    clock.lap("weights");
    let mut session = Session::new(&device, plan, &weights)?;
    clock.lap("kernels");
    session.write(network.images, &batch.images)?;
    session.write(network.labels, &batch.labels)?;
    let loss = step(&mut session, &network)?;
    clock.lap("step");

    let [n, channels, rows, columns] = SHAPE;
    say!("adapter: {}", device.summary());
    say!(
        "ResNet-50, {n} images of {channels} x {rows} x {columns}: mean cross-entropy and its {} gradients",
        network.gradients.len()
    );
    say!("first step: {clock}");

    if let Some(path) = &options.save {
        step::save(path, &network.weights(&device)?, &batch)?;
        say!("{} has weights, images and labels", wgrad::file::printable_path(path));
    }
    let mut found = Found::from([("loss".to_owned(), f64::from(loss))]);
    let mut squares = 0.0;
    for (name, gradient) in &network.gradients {
        let square: f64 = session.read(*gradient)?.to_f64().iter().map(|x| x * x).sum();
        found.insert(name.clone(), square.sqrt());
        squares += square;
    }
    found.insert("all gradients".to_owned(), squares.sqrt());
    // Times of a wrong step tell nothing.
    answers.compare(&found)?;

    let mut times = Vec::new();
    for _ in 0..options.steps.get() {
        let start = Instant::now();
        let again = step(&mut session, &network)?;
        times.push(start.elapsed());
        // The weights stay as they are, so each step computes the same.
        if again.to_bits() != loss.to_bits() {
            return Err(format!("a further step has loss {again}, the first had {loss}").into());
        }
    }
    times.sort_unstable();
    let count = times.len();
    let [least, median, largest] =
        [times[0], (times[(count - 1) / 2] + times[count / 2]) / 2, times[count - 1]]
            .map(|time| format!("{:.3} s", time.as_secs_f64()));
    say!("further steps: {median} in the median of {count} ({least} .. {largest})");
    say!("{}", memory(session.plan(), &network));
    Ok(())
}

/// Runs a step and reads its loss, which waits for the device.
fn step(session: &mut Session, network: &Network) -> wgrad::Result<f32> {
    session.step()?;
    let mut loss = [0.0];
    session.read_into(network.loss, &mut loss)?;
    Ok(loss[0])
}

/// Device memory as planned, in megabytes of 10^6 bytes.
fn memory(plan: &Plan, network: &Network) -> String {
    let megabytes = |bytes: u64| format!("{:.1}", bytes as f64 / 1e6);
    let bytes = plan.device_bytes();
    let places = network.gradients.iter().filter_map(|(_, gradient)| plan.place(*gradient));
    let gradients: u64 = places.map(|place| place.bytes()).sum();
    let kinds = bytes.iter().map(|(kind, bytes)| {
        let kept = match kind {
            BufferKind::Activations => format!(", gradients among them {}", megabytes(gradients)),
            _ => String::new(),
        };
        format!("{} {}{kept}", kind.name(), megabytes(*bytes))
    });
    let kinds: Vec<String> = kinds.collect();
    format!("device memory: {} MB ({})", megabytes(bytes.values().sum()), kinds.join("; "))
}

/// Times since a start, part by part.
struct Clock {
    start: Instant,
    laps: Vec<(&'static str, Duration)>,
}

impl Clock {
    fn start() -> Clock {
        Clock { start: Instant::now(), laps: Vec::new() }
    }

    fn lap(&mut self, name: &'static str) {
        let before: Duration = self.laps.iter().map(|lap| lap.1).sum();
        self.laps.push((name, self.start.elapsed() - before));
    }
}

impl std::fmt::Display for Clock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let seconds = |time: Duration| format!("{:.2} s", time.as_secs_f64());
        let laps: Vec<String> =
            self.laps.iter().map(|(name, time)| format!("{name} {}", seconds(*time))).collect();
        write!(f, "{} ({})", seconds(self.laps.iter().map(|lap| lap.1).sum()), laps.join(", "))
    }
}

struct Options {
    steps: NonZeroU32,
    save: Option<PathBuf>,
    answers: Option<PathBuf>,
}

/// `None` if the user asks for help.
fn options() -> Result<Option<Options>, lexopt::Error> {
    use lexopt::prelude::*;
    let steps = const { NonZeroU32::new(5).unwrap() };
    let mut options = Options { steps, save: None, answers: None };
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Long("steps") => options.steps = parser.value()?.parse()?,
            Long("save") => options.save = Some(parser.value()?.into()),
            Long("answers") => options.answers = Some(parser.value()?.into()),
            Long("help") | Short('h') => return Ok(None),
            _ => return Err(argument.unexpected()),
        }
    }
    Ok(Some(options))
}
