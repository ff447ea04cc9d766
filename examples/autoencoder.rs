//! Removes noise from handwritten digits: a convolutional autoencoder is trained to restore clean digits from
//! noisy ones. Writes a picture of test digits: clean, noisy, restored.

#[path = "panels/mod.rs"]
mod panels;

use panels::{Outcome, Panel, say};
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use std::path::PathBuf;
use wgrad::data::{Images, Loader, Order, Split};
use wgrad::nn::{self, Layer};
use wgrad::{Device, Graph, Mode, Plan, Session, Value, Weights, optim};

const BATCH: usize = 64;
const PIXELS: usize = 28 * 28;
/// Standard deviation of the noise, where black is 0 and white is 1.
const NOISE: f32 = 0.5;
const HELP: &str = "\
usage: autoencoder [--steps N] [--data DIR] [--picture FILE]
  --steps N       training steps of 64 images (default 1000)
  --data DIR      MNIST's files (default examples/data/mnist)
  --picture FILE  where the picture goes (default autoencoder.png)
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

    // Down to 32 channels of 7 x 7, and up again by transposed convolutions.
    let down = |from, to| nn::Conv2d::new(from, to, [3, 3]).stride([2, 2]).padding([1, 1]);
    let up = |from, to| nn::ConvTranspose2d::new(from, to, [4, 4]).stride([2, 2]).padding([1, 1]);
    let net = nn::Sequential::new()
        .add("down1", down(1, 16))
        .add("relu1", nn::Relu)
        .add("down2", down(16, 32))
        .add("relu2", nn::Relu)
        .add("up1", up(32, 16))
        .add("relu3", nn::Relu)
        .add("up2", up(16, 1));

    let mut g = Graph::new();
    let noisy = g.input("noisy", [BATCH, 1, 28, 28])?;
    let clean = g.input("clean", [BATCH, 1, 28, 28])?;
    let restored = net.forward(&mut g, noisy, Mode::Train)?;
    let loss = g.mse_loss(restored, clean)?;
    let rate = g.input_scalar("rate")?;
    optim::Adam::new(rate).minimize(&mut g, loss)?;
    let weights = Weights::init(&device, &g, 1)?;
    let mut train = Session::new(&device, Plan::new(&g, &[loss], device.caps())?, &weights)?;
    train.record(loss, options.steps)?;
    train.write_scalar(rate, 2e-3)?;

    let data = Images::load(&options.data, Split::Train)?;
    let mut noise = Noise(ChaCha8Rng::seed_from_u64(2));
    let loader = Loader::new(BATCH);
    let mut left = options.steps;
    for epoch in 0.. {
        let order = Order::shuffled(data.len(), 3, epoch)?;
        let batches = left.min(loader.batches(order.len()));
        loader.run(&data, &order, 0..batches, |batch| {
            let digits = floats(batch.u8("image")?);
            train.write(clean, &digits)?;
            train.write(noisy, &noise.over(&digits))?;
            train.step()
        })?;
        left -= batches;
        if left == 0 {
            break;
        }
    }
    let losses = train.recorded(loss)?.to_f64();
    let last = &losses[losses.len() - losses.len().min(50)..];
    say!("squared error of the first step {:.4}, of the last ones {:.4}", losses[0], mean(last));

    // The same network without a loss, on digits that it has not seen.
    let mut g = Graph::new();
    let noisy = g.input("noisy", [BATCH, 1, 28, 28])?;
    let restored: Value = net.forward(&mut g, noisy, Mode::Eval)?;
    let mut session = Session::new(&device, Plan::new(&g, &[restored], device.caps())?, &weights)?;
    let test = Images::load(&options.data, Split::Test)?;
    let mut digits = Vec::new();
    loader.run(&test, &Order::sequential(test.len())?, 0..1, |batch| {
        digits = floats(batch.u8("image")?);
        Ok(())
    })?;
    let damaged = noise.over(&digits);
    session.write(noisy, &damaged)?;
    session.step()?;
    let restored = session.read(restored)?;
    let restored = restored.as_f32().unwrap_or_default();
    say!(
        "squared error on test digits: {:.4} noisy, {:.4} restored",
        error(&damaged, &digits),
        error(restored, &digits)
    );
    let row = |name: &str, images: &[f32]| {
        let panels =
            images.chunks(PIXELS).take(10).map(|image| Panel::new(name, 28, 28, image.to_vec()).scaled(3));
        panels.collect::<Vec<_>>()
    };
    let rows = [row("clean", &digits), row("noisy", &damaged), row("restored", restored)];
    panels::draw(&options.picture, "Test digits, with noise, and without again", &rows)?;
    say!("{} is written", wgrad::file::printable_path(&options.picture));
    Ok(())
}

struct Options {
    steps: usize,
    data: PathBuf,
    picture: PathBuf,
}

/// `None` if the user asks for help.
fn options() -> Result<Option<Options>, lexopt::Error> {
    use lexopt::prelude::*;
    let (data, picture) = ("examples/data/mnist".into(), "autoencoder.png".into());
    let mut options = Options { steps: 1000, data, picture };
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Long("steps") => {
                options.steps = parser.value()?.parse::<std::num::NonZeroUsize>()?.get();
            }
            Long("data") => options.data = parser.value()?.into(),
            Long("picture") => options.picture = parser.value()?.into(),
            Long("help") | Short('h') => return Ok(None),
            _ => return Err(argument.unexpected()),
        }
    }
    Ok(Some(options))
}

struct Noise(ChaCha8Rng);

impl Noise {
    /// Adds normal noise to an image.
    fn over(&mut self, image: &[f32]) -> Vec<f32> {
        image.iter().map(|x| x + NOISE * self.normal()).collect()
    }

    /// A standard normal number, by Box and Muller's method.
    fn normal(&mut self) -> f32 {
        let (u, v): (f32, f32) = (self.0.random(), self.0.random());
        (-2.0 * (1.0 - u).ln()).sqrt() * (std::f32::consts::TAU * v).cos()
    }
}

/// Pixels from 0 to 1.
fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.iter().map(|&byte| f32::from(byte) / 255.0).collect()
}

fn error(found: &[f32], expected: &[f32]) -> f64 {
    let squares: Vec<f64> = found.iter().zip(expected).map(|(a, b)| f64::from(a - b).powi(2)).collect();
    mean(&squares)
}

fn mean(numbers: &[f64]) -> f64 {
    numbers.iter().sum::<f64>() / numbers.len() as f64
}
