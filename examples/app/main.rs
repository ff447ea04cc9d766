//! An app that owns its wgpu device and shares it with the library: a network learns a picture from the places of its
//! pixels, and each frame shows what it has learned so far. A training step and the app's render pass are one encoder and
//! one submission; the fragment shader reads the network's output where the step left it. It renders without a window and
//! writes a PNG.

mod gpu;
mod landscape;
#[path = "../program/mod.rs"]
mod program;

use gpu::{Canvas, Gpu};
use program::{Outcome, end, say};
use std::path::PathBuf;
use wgrad::nn::{self, Layer};
use wgrad::optim::Adam;
use wgrad::{Device, Graph, HostTensor, Mode, Plan, Session, Value, Weights, wgpu};

/// Pixels along a side of the picture that is learned; `frame.wgsl` has the same number.
const SIZE: usize = 96;
/// Frequencies by which each coordinate is told to the network.
const FREQUENCIES: usize = 6;
/// Views of the canvas, which show the network after more and more steps, and pixels along a side of one.
const VIEWS: u32 = 4;
const SIDE: u32 = 256;
const HELP: &str = "\
usage: app [--steps N] [--picture FILE]
  --steps N       training steps, each with a frame (default 400)
  --picture FILE  where the canvas goes (default app.png)
";

fn main() -> std::process::ExitCode {
    end(run())
}

fn run() -> Outcome<()> {
    let Some((steps, picture)) = options()? else {
        say!("{}", HELP.trim_end());
        return Ok(());
    };
    // Report an unusable path before the long work, not after it.
    wgrad::file::check_writable(&picture)?;
    let gpu = Gpu::open()?;
    let shared = Device::from_wgpu(&gpu.adapter, gpu.device.clone(), gpu.queue.clone())?;
    say!("{}", shared.summary());

    let mut g = Graph::new();
    let rate = g.input_scalar("rate")?;
    let (colors, loss) = network(&mut g)?;
    Adam::new(rate).minimize(&mut g, loss)?;
    let weights = Weights::init(&shared, &g, 7)?;
    let mut session = Session::new(&shared, Plan::new(&g, &[colors, loss], shared.caps())?, &weights)?;
    session.record(loss, steps as usize)?;
    let canvas = Canvas::new(&gpu, SIDE, VIEWS, session.output_binding(colors)?);

    for step in 0..steps {
        let left = 1.0 - step as f32 / steps as f32;
        session.write_scalar(rate, 0.01 * left)?;
        let mut encoder = gpu.device.create_command_encoder(&Default::default());
        session.encode_step(&mut encoder)?;
        canvas.draw(&mut encoder, view(step, steps));
        let frame = gpu.queue.submit([encoder.finish()]);
        // The app sets the pace. One with a window waits for its next frame instead.
        gpu.device.poll(wgpu::PollType::Wait { submission_index: Some(frame), timeout: None })?;
    }

    let losses = session.recorded(loss)?.to_f64();
    let error = |at: usize| losses.get(at).copied().unwrap_or(f64::NAN).sqrt();
    let last = losses.len().saturating_sub(1);
    say!("{steps} frames, a step and a render pass each: error {:.3}, then {:.3}", error(0), error(last));
    wgrad::file::write_whole(&picture, &canvas.png(&gpu)?)?;
    say!("wrote {}", wgrad::file::printable_path(&picture));
    Ok(())
}

/// The view that shows a step: the first ones early, the last at the end.
fn view(step: u32, steps: u32) -> u32 {
    let ends = |view: &u32| step < (steps >> (2 * (VIEWS - 1 - view))).max(view + 1);
    (0..VIEWS).find(ends).unwrap_or(VIEWS - 1)
}

/// Colours of all pixels, and their mean squared difference from the picture's.
fn network(g: &mut Graph) -> wgrad::Result<(Value, Value)> {
    let place = |i: usize| 2.0 * (i as f32 + 0.5) / SIZE as f32 - 1.0;
    let places = (0..SIZE * SIZE).flat_map(|i| waves(place(i % SIZE)).chain(waves(place(i / SIZE))));
    let places = HostTensor::f32([SIZE * SIZE, 4 * FREQUENCIES], places.collect())?;
    let places = g.constant(places)?;
    let picture = g.constant(HostTensor::f32([SIZE * SIZE, 3], landscape::landscape(SIZE))?)?;
    let net = nn::Sequential::new()
        .add("hidden1", nn::Linear::new(4 * FREQUENCIES, 48))
        .add("relu1", nn::Relu)
        .add("hidden2", nn::Linear::new(48, 48))
        .add("relu2", nn::Relu)
        .add("colors", nn::Linear::new(48, 3))
        .add("sigmoid", nn::Sigmoid);
    let colors = net.forward(g, places, Mode::Train)?;
    let loss = g.mse_loss(colors, picture)?;
    Ok((colors, loss))
}

/// A coordinate, as sines and cosines of doubling frequency.
fn waves(at: f32) -> impl Iterator<Item = f32> {
    (0..FREQUENCIES).flat_map(move |i| {
        let angle = at * std::f32::consts::FRAC_PI_2 * (1 << i) as f32;
        [angle.sin(), angle.cos()]
    })
}

/// `None` if the user asks for help.
fn options() -> Result<Option<(u32, PathBuf)>, lexopt::Error> {
    use lexopt::prelude::*;
    let (mut steps, mut picture) = (400, PathBuf::from("app.png"));
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Long("steps") => steps = parser.value()?.parse::<std::num::NonZeroU32>()?.get(),
            Long("picture") => picture = parser.value()?.into(),
            Long("help") | Short('h') => return Ok(None),
            _ => return Err(argument.unexpected()),
        }
    }
    Ok(Some((steps, picture)))
}
