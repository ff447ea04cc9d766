//! Trains a generative adversarial network on handwritten digits: a generator learns to make digits that a
//! discriminator can't tell from MNIST's (Radford, Metz and Chintala, "Unsupervised representation learning with deep
//! convolutional generative adversarial networks", 2015). Writes a picture of generated digits.
//!
//! Both networks, their losses and their two optimizers are one graph, so a step is one submit. The digits of the
//! picture are made with an average of the generator's weights.

#[path = "panels/mod.rs"]
mod panels;

use panels::{Outcome, Panel, say};
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use std::path::PathBuf;
use wgrad::data::{Images, Loader, Order, Split};
use wgrad::nn::{self, Layer};
use wgrad::optim::{Adam, Ema};
use wgrad::{Device, Graph, HostTensor, Mode, Plan, Session, Value, Weights};

const BATCH: usize = 64;
const PIXELS: usize = 28 * 28;
/// Numbers that a digit is made of.
const NOISE: usize = 32;
const HELP: &str = "\
usage: gan [--steps N] [--data DIR] [--picture FILE] [--checkpoint FILE]
  --steps N          training steps of 64 images (default 1500)
  --data DIR         MNIST's files (default examples/data/mnist)
  --picture FILE     where the picture goes (default gan.png)
  --checkpoint FILE  resumes from this file if it is there, and writes it at the end
";

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
    let (generator, discriminator) = (generator(), discriminator());

    let mut g = Graph::new();
    let digits = g.input_u8("digits", [BATCH, 1, 28, 28])?;
    let real = g.bytes_to_float(digits)?;
    let noise = g.input("noise", [BATCH, NOISE, 1, 1])?;
    let rate = g.input_scalar("rate")?;
    let fake = g.scoped("generator", |g| generator.forward(g, noise, Mode::Train))?;
    // The discriminator learns to answer 1 for MNIST's digits and 0 for the others. Targets a little below 1 keep it
    // from being too sure.
    let of_real = judge(&mut g, &discriminator, real, 0.9)?;
    let of_fake = judge(&mut g, &discriminator, fake, 0.0)?;
    let of_discriminator = g.add(of_real, of_fake)?;
    Adam::new(rate)
        .betas(0.5, 0.999)
        .only(|name| name.starts_with("discriminator."))
        .minimize(&mut g, of_discriminator)?;
    // The generator learns to make digits for which the updated discriminator answers 1.
    let of_generator = judge(&mut g, &discriminator, fake, 1.0)?;
    Adam::new(rate)
        .betas(0.5, 0.999)
        .only(|name| name.starts_with("generator."))
        .average(Ema::new(0.99).warm_up(true))
        .minimize(&mut g, of_generator)?;

    let losses = [of_discriminator, of_generator];
    let weights = Weights::init(&device, &g, 1)?;
    let mut train = Session::new(&device, Plan::new(&g, &losses, device.caps())?, &weights)?;
    if let Some(path) = options.checkpoint.as_ref().filter(|path| path.exists()) {
        train.load_checkpoint(path)?;
        say!("resumes at step {}", train.step_number());
    }
    for loss in losses {
        train.record(loss, 50)?;
    }
    train.write_scalar(rate, 4e-4)?;
    let data = Images::load(&options.data, Split::Train)?;
    let loader = Loader::new(BATCH);
    let steps_of_epoch = (data.len() / BATCH).max(1) as u64;
    while u64::from(train.step_number()) < options.steps {
        let done = u64::from(train.step_number());
        let (epoch, first) = (done / steps_of_epoch, done % steps_of_epoch);
        let end = steps_of_epoch.min(first + options.steps - done);
        let order = Order::shuffled(data.len(), 2, epoch)?;
        loader.run(&data, &order, first as usize..end as usize, |batch| {
            let step = u64::from(train.step_number());
            train.write(digits, batch.u8("image")?)?;
            train.write(noise, &normal(BATCH * NOISE, step))?;
            train.step()?;
            if (step + 1) % 250 == 0 || step + 1 == options.steps {
                let [d, g] = [mean(&train.recorded(losses[0])?), mean(&train.recorded(losses[1])?)];
                say!("step {}: loss of the discriminator {d:.3}, of the generator {g:.3}", step + 1);
            }
            Ok(())
        })?;
    }
    if let Some(path) = &options.checkpoint {
        train.save_checkpoint(path)?;
        say!("{} is written", wgrad::file::printable_path(path));
    }

    // The generator alone, with averaged weights.
    let mut g = Graph::new();
    let noise = g.input("noise", [BATCH, NOISE, 1, 1])?;
    let made = g.scoped("generator", |g| generator.forward(g, noise, Mode::Eval))?;
    let mut session = Session::new(&device, Plan::new(&g, &[made], device.caps())?, &weights.averaged()?)?;
    session.write(noise, &normal(BATCH * NOISE, u64::MAX))?;
    session.step()?;
    let made = session.read(made)?;
    let digits: Vec<Panel> = made
        .as_f32()
        .unwrap_or_default()
        .chunks(PIXELS)
        .map(|image| Panel::new("", 28, 28, image.to_vec()).scaled(2))
        .collect();
    let mut rows: Vec<Vec<Panel>> = Vec::new();
    for panel in digits.into_iter().take(40) {
        match rows.last_mut() {
            Some(row) if row.len() < 10 => row.push(panel),
            _ => rows.push(vec![panel]),
        }
    }
    panels::draw(&options.picture, "Generated digits", &rows)?;
    say!("{} is written", wgrad::file::printable_path(&options.picture));
    Ok(())
}

/// From noise to 28 x 28 pixels between 0 and 1.
fn generator() -> nn::Sequential {
    let up = |from, to| nn::ConvTranspose2d::new(from, to, [4, 4]).stride([2, 2]).padding([1, 1]);
    nn::Sequential::new()
        .add("grid", nn::ConvTranspose2d::new(NOISE, 64, [7, 7]).bias(false))
        .add("bn1", nn::BatchNorm::new(64))
        .add("relu1", nn::Relu)
        .add("up1", up(64, 32).bias(false))
        .add("bn2", nn::BatchNorm::new(32))
        .add("relu2", nn::Relu)
        .add("up2", up(32, 1))
        .add("sigmoid", nn::Sigmoid)
}

/// From pixels to a number that is larger the more they look like MNIST's.
fn discriminator() -> nn::Sequential {
    let down = |from, to| nn::Conv2d::new(from, to, [4, 4]).stride([2, 2]).padding([1, 1]);
    let leaky = || nn::LeakyRelu::new().negative_slope(0.2);
    nn::Sequential::new()
        .add("down1", down(1, 32))
        .add("relu1", leaky())
        .add("down2", down(32, 64).bias(false))
        .add("bn", nn::BatchNorm::new(64))
        .add("relu2", leaky())
        .add("flatten", nn::Flatten)
        .add("fc", nn::Linear::new(64 * 7 * 7, 1))
}

/// The discriminator's loss if every answer for `x` should be `target`.
fn judge(g: &mut Graph, discriminator: &nn::Sequential, x: Value, target: f32) -> wgrad::Result<Value> {
    let answers = g.scoped("discriminator", |g| discriminator.forward(g, x, Mode::Train))?;
    let targets = HostTensor::filled(g.shape(answers)?.clone(), target)?;
    let targets = g.constant(targets)?;
    g.bce_with_logits_loss(answers, targets)
}

/// Standard normal numbers that follow from the step, by Box and Muller's method.
fn normal(count: usize, step: u64) -> Vec<f32> {
    let mut random = ChaCha8Rng::seed_from_u64(step);
    let mut one = || {
        let (u, v): (f32, f32) = (random.random(), random.random());
        (-2.0 * (1.0 - u).ln()).sqrt() * (std::f32::consts::TAU * v).cos()
    };
    (0..count).map(|_| one()).collect()
}

fn mean(recorded: &HostTensor) -> f64 {
    let numbers = recorded.to_f64();
    numbers.iter().sum::<f64>() / numbers.len().max(1) as f64
}

struct Options {
    steps: u64,
    data: PathBuf,
    picture: PathBuf,
    checkpoint: Option<PathBuf>,
}

/// `None` if the user asks for help.
fn options() -> Result<Option<Options>, lexopt::Error> {
    use lexopt::prelude::*;
    let (data, picture) = ("examples/data/mnist".into(), "gan.png".into());
    let mut options = Options { steps: 1500, data, picture, checkpoint: None };
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Long("steps") => options.steps = parser.value()?.parse::<std::num::NonZeroU32>()?.get().into(),
            Long("data") => options.data = parser.value()?.into(),
            Long("picture") => options.picture = parser.value()?.into(),
            Long("checkpoint") => options.checkpoint = Some(parser.value()?.into()),
            Long("help") | Short('h') => return Ok(None),
            _ => return Err(argument.unexpected()),
        }
    }
    Ok(Some(options))
}
