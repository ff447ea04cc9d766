//! Finds the digits that a network is unsure of. The network is trained with dropout, and then reads each
//! test digit many times, each time with other units dropped (Gal and Ghahramani, "Dropout as a Bayesian
//! approximation", 2016). Writes a picture of the digits whose predictions agree least and most, with the
//! mean probability of each class and its deviation.

#[path = "panels/mod.rs"]
mod panels;

use panels::{Outcome, Panel, say};
use std::path::PathBuf;
use wgrad::data::{Images, Loader, Order, Split};
use wgrad::nn::{self, Layer};
use wgrad::{Device, Graph, Mode, Plan, Session, Weights, optim};

const BATCH: usize = 100;
const PIXELS: usize = 28 * 28;
const CLASSES: usize = 10;
const HELP: &str = "\
usage: uncertainty [--steps N] [--masks N] [--digits N] [--data DIR] [--picture FILE]
  --steps N       training steps of 100 images (default 600)
  --masks N       times that each digit is read, at least 2 (default 50)
  --digits N      test digits, rounded up to hundreds (default 1000)
  --data DIR      MNIST's files (default examples/data/mnist)
  --picture FILE  where the picture goes (default uncertainty.png)
";

/// A test digit and the network's predictions.
struct Reading {
    pixels: Vec<f32>,
    label: usize,
    /// Mean predicted probability of each class.
    mean: Vec<f32>,
    /// Standard deviation of the predicted probability of each class.
    deviation: Vec<f32>,
}

impl Reading {
    /// The entropy of the mean prediction in bits: 0 if all predictions agree on one class, log2(10) if all
    /// classes are equally likely.
    fn entropy(&self) -> f32 {
        self.mean.iter().filter(|&&p| p > 0.0).map(|p| -p * p.log2()).sum()
    }

    fn predicted(&self) -> usize {
        (0..CLASSES).max_by(|&a, &b| self.mean[a].total_cmp(&self.mean[b])).unwrap_or(0)
    }

    fn panel(&self) -> Panel {
        let predicted = self.predicted();
        let caption = format!("{}: {predicted} {:.0} %", self.label, 100.0 * self.mean[predicted]);
        let mut panel = Panel::new(caption, 28, 28, self.pixels.clone()).scaled(4);
        panel.bars = self.mean.iter().copied().zip(self.deviation.iter().copied()).collect();
        panel
    }
}

fn main() -> std::process::ExitCode {
    panels::end(run())
}

fn run() -> Outcome<()> {
    let Some(options) = options()? else {
        say!("{}", HELP.trim_end());
        return Ok(());
    };
    // Report an unusable path before the long work, not after it.
    wgrad::file::check_writable(&options.picture)?;
    let device = Device::open()?;
    say!("{}", device.summary());
    let net = nn::Sequential::new()
        .add("conv1", nn::Conv2d::new(1, 16, [5, 5]).padding([2, 2]))
        .add("relu1", nn::Relu)
        .add("pool1", nn::MaxPool2d::new([2, 2]))
        .add("conv2", nn::Conv2d::new(16, 32, [5, 5]).padding([2, 2]))
        .add("relu2", nn::Relu)
        .add("pool2", nn::MaxPool2d::new([2, 2]))
        .add("dropout1", nn::Dropout2d::input())
        .add("flatten", nn::Flatten)
        .add("fc1", nn::Linear::new(32 * 7 * 7, 128))
        .add("relu3", nn::Relu)
        .add("dropout2", nn::Dropout::hidden())
        .add("fc2", nn::Linear::new(128, CLASSES));
    let data = Images::load(&options.data, Split::Test)?;
    let weights = train(&device, &net, &options)?;

    let mut g = Graph::new();
    let pixels = g.input_u8("pixels", [BATCH, 1, 28, 28])?;
    let images = g.bytes_to_float(pixels)?;
    let logits = net.forward(&mut g, images, Mode::MonteCarlo)?;
    let probabilities = g.softmax(logits, 1)?;
    let predicted = g.monte_carlo(&[probabilities])?;
    let plan = Plan::new(&g, &[], device.caps())?;
    let mut session = Session::new(&device, plan, &weights.with_state_of(&g)?)?;
    let loader = Loader::new(BATCH);
    let batches = options.digits.div_ceil(BATCH).min(loader.batches(data.len()));
    let mut readings = Vec::new();
    loader.run(&data, &Order::sequential(data.len())?, 0..batches, |batch| {
        let (digits, labels) = (batch.u8("image")?, batch.i32("label")?);
        session.write(pixels, digits)?;
        let estimate = session.monte_carlo(&predicted, options.masks)?.remove(0);
        let (means, variances) = (estimate.mean.to_f64(), estimate.variance.to_f64());
        for (i, digit) in digits.chunks(PIXELS).take(batch.samples()).enumerate() {
            let of = |numbers: &[f64]| -> Vec<f32> {
                numbers[i * CLASSES..(i + 1) * CLASSES].iter().map(|&x| x as f32).collect()
            };
            let deviation = of(&variances).iter().map(|x| x.max(0.0).sqrt()).collect();
            let (pixels, label) = (floats(digit), labels[i] as usize);
            readings.push(Reading { pixels, label, mean: of(&means), deviation });
        }
        Ok(())
    })?;
    readings.sort_by(|a, b| b.entropy().total_cmp(&a.entropy()));
    let right = |part: &[Reading]| {
        100.0 * part.iter().filter(|r| r.predicted() == r.label).count() as f64 / part.len().max(1) as f64
    };
    let (unsure, sure) = readings.split_at(readings.len().div_ceil(20));
    say!(
        "right: {:.1} % of all {} digits, {:.1} % of the twentieth that it is least sure of, {:.1} % of the others",
        right(&readings),
        readings.len(),
        right(unsure),
        right(sure)
    );
    let row = |part: &[Reading]| part.iter().take(8).map(Reading::panel).collect::<Vec<_>>();
    let surest: Vec<Panel> = readings.iter().rev().take(8).map(Reading::panel).collect();
    let title =
        format!("Least and most sure of {} digits, each read with {} masks", readings.len(), options.masks);
    panels::draw(&options.picture, &title, &[row(&readings), row(&readings[8..]), surest])?;
    say!("{} is written", wgrad::file::printable_path(&options.picture));
    Ok(())
}

/// Trains the network for `options.steps` steps.
fn train(device: &Device, net: &nn::Sequential, options: &Options) -> Outcome<Weights> {
    let mut g = Graph::new();
    let pixels = g.input_u8("pixels", [BATCH, 1, 28, 28])?;
    let images = g.bytes_to_float(pixels)?;
    let labels = g.input_i32("labels", BATCH)?;
    let logits = net.forward(&mut g, images, Mode::Train)?;
    let loss = g.cross_entropy(logits, labels)?;
    let rate = g.input_scalar("rate")?;
    optim::Adam::new(rate).minimize(&mut g, loss)?;
    let weights = Weights::init(device, &g, 1)?;
    let mut session = Session::new(device, Plan::new(&g, &[loss], device.caps())?, &weights)?;
    session.write_scalar(rate, 1e-3)?;
    let data = Images::load(&options.data, Split::Train)?;
    let loader = Loader::new(BATCH);
    let mut left = options.steps;
    for epoch in 0.. {
        let order = Order::shuffled(data.len(), 2, epoch)?;
        let batches = left.min(loader.batches(order.len()));
        loader.run(&data, &order, 0..batches, |batch| {
            session.write(pixels, batch.u8("image")?)?;
            session.write(labels, batch.i32("label")?)?;
            session.step()
        })?;
        left -= batches;
        if left == 0 {
            break;
        }
    }
    let step = options.steps;
    say!("loss after {step} steps of training: {:.3}", session.read(loss)?.to_f64()[0]);
    Ok(weights)
}

/// Pixels from 0 to 1.
fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.iter().map(|&byte| f32::from(byte) / 255.0).collect()
}

struct Options {
    steps: usize,
    masks: usize,
    digits: usize,
    data: PathBuf,
    picture: PathBuf,
}

/// `None` if the user asks for help.
fn options() -> Result<Option<Options>, lexopt::Error> {
    use lexopt::prelude::*;
    let (data, picture) = ("examples/data/mnist".into(), "uncertainty.png".into());
    let mut options = Options { steps: 600, masks: 50, digits: 1000, data, picture };
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        let number = |parser: &mut lexopt::Parser| parser.value()?.parse::<std::num::NonZeroUsize>();
        match argument {
            Long("steps") => options.steps = number(&mut parser)?.get(),
            Long("masks") => options.masks = number(&mut parser)?.get(),
            Long("digits") => options.digits = number(&mut parser)?.get(),
            Long("data") => options.data = parser.value()?.into(),
            Long("picture") => options.picture = parser.value()?.into(),
            Long("help") | Short('h') => return Ok(None),
            _ => return Err(argument.unexpected()),
        }
    }
    if options.masks < 2 {
        return Err("--masks must be at least 2: the deviation needs two readings".into());
    }
    Ok(Some(options))
}
