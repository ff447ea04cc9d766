//! airbench94 as `examples/cifar10` trains it, against its twin in PyTorch's f64 (`tests/fixtures/airbench94.py`): dirac and
//! whitening filters, 20 steps of both optimizers, and an evaluation by six views.

#[path = "../../examples/networks/airbench94.rs"]
mod recipe;

use crate::harness::device;
use crate::harness::fixture::{Fixture, assert_close};
use recipe::{DEVIATION, EPS, KERNEL, LABEL_SMOOTHING, MEAN, Recipe, Variant};
use wgrad::graph::Source;
use wgrad::nn::{self, Layer};
use wgrad::ops::losses::CrossEntropyOptions;
use wgrad::{Graph, HostTensor, Mode, Plan, Result, Session, Weights};

const BATCH: usize = 16;
const BATCHES: usize = 4;
const STEPS: usize = 20;
const SHOWN: usize = 8;
const PIXELS: usize = 3 * 32 * 32;
/// Relative to a tensor's largest value.
const CLOSE: f64 = 1e-4;

/// Whole numbers of the twin.
fn hashed(count: usize, salt: u32) -> impl Iterator<Item = u32> {
    (0..count as u32).map(move |i| {
        let mut x = i.wrapping_mul(2_654_435_761).wrapping_add(salt.wrapping_mul(40503));
        for (shift, factor) in [(16, 0x85EB_CA6B), (13, 0xC2B2_AE35)] {
            x = (x ^ (x >> shift)).wrapping_mul(factor);
        }
        x ^ (x >> 16)
    })
}

fn uniform(count: usize, salt: u32, bound: f64) -> Vec<f32> {
    let numbers = hashed(count, salt).map(|x| (f64::from(x) / 2f64.powi(32) * 2.0 - 1.0) * bound);
    numbers.map(|x| x as f32).collect()
}

/// Normalised images and labels of the twin.
fn pictures() -> (Vec<f32>, Vec<i32>) {
    let labels: Vec<i32> = hashed(BATCH * BATCHES, 1).map(|x| (x % 10) as i32).collect();
    let mut pixels = Vec::new();
    for (at, noise) in hashed(BATCH * BATCHES * PIXELS, 2).enumerate() {
        let (item, channel, y, x) = (at / PIXELS, at / 1024 % 3, at / 32 % 32, at % 32);
        let kind = labels[item] as usize;
        let along = x * (1 + (kind * 3 + channel) % 7) + y * (1 + (kind * 5 + channel) % 6) + 9 * item;
        let along = along % 64;
        let wave = 8 * along.min(63 - along);
        let pixel = (3 * wave + (noise >> 24) as usize) / 4;
        pixels.push(((pixel as f64 / 255.0 - MEAN[channel]) / DEVIATION[channel]) as f32);
    }
    (pixels, labels)
}

/// Gives the weights their first values, which are the twin's. Of dirac's filters only the further ones are written.
fn start(weights: &Weights, graph: &Graph, filters: &HostTensor, variant: Variant) -> Result<()> {
    weights.write("whiten.weight", filters.as_f32().expect("they are floats"))?;
    // The twin numbers parameters in the order of its layers.
    let names: Vec<String> = graph
        .values()
        .filter(|(_, info)| matches!(info.source, Source::Parameter(_)))
        .map(|(_, info)| info.name.clone())
        .collect();
    for (number, name) in names.iter().enumerate() {
        if name.contains(".conv") {
            let found = weights.read(name)?;
            let (inputs, each) = (found.shape[1], found.shape[1] * 9);
            let mut numbers =
                uniform(found.shape.elements(), 100 + number as u32, 1.0 / (each as f64).sqrt());
            let kept = inputs.min(found.shape[0]) * each;
            numbers[..kept].copy_from_slice(&found.as_f32().expect("they are floats")[..kept]);
            weights.write(name, &numbers)?;
        }
    }
    let bound = if variant == Variant::Sgd { 1.0 / 16.0 } else { f64::sqrt(3.0) };
    weights.write("head.weight", &uniform(2560, 99, bound))
}

fn follows_its_twin(variant: Variant, name: &str) -> Result<()> {
    let all = Fixture::all("airbench94");
    let case = |name: &str| all.iter().find(|case| case.name == name).expect("the fixture has it");
    let (pixels, labels) = pictures();
    let images = HostTensor::f32([BATCH * BATCHES, 3, 32, 32], pixels)?;
    let filters = nn::whitening_filters(&images, KERNEL, EPS)?;
    assert_close(case("start"), "whiten.weight", &filters, 1e-5);

    let recipe = Recipe { variant, batch: BATCH, steps_per_epoch: BATCHES as u64, steps: STEPS as u64 };
    let net = variant.network();
    let mut g = Graph::new();
    let x = g.input("images", [BATCH, 3, 32, 32])?;
    let targets = g.input_i32("labels", BATCH)?;
    let logits = net.forward(&mut g, x, Mode::Train)?;
    let options = CrossEntropyOptions::new().label_smoothing(LABEL_SMOOTHING);
    let loss = g.cross_entropy_with(logits, targets, options)?;
    let rate = g.input_scalar("learning_rate")?;
    let scalars = recipe.scalars()?;
    for (name, _) in &scalars {
        g.input_scalar(name)?;
    }
    recipe.minimize(&mut g, loss, rate)?;
    let weights = Weights::init(device(), &g, 0)?;
    start(&weights, &g, &filters, variant)?;
    let mut session = Session::new(device(), Plan::new(&g, &[loss], device().caps())?, &weights)?;
    let (schedule, mut losses) = (recipe.rate()?, Vec::new());
    let pixels = images.as_f32().expect("they are floats");
    for step in 0..STEPS {
        let at = step % BATCHES * BATCH;
        session.write(x, &pixels[at * PIXELS..(at + BATCH) * PIXELS])?;
        session.write(targets, &labels[at..at + BATCH])?;
        session.write_scalar(rate, schedule.rate(step as u64) as f32)?;
        for (name, schedule) in &scalars {
            let scalar = g.find(name).expect("it was declared");
            session.write_scalar(scalar, schedule.rate(step as u64) as f32)?;
        }
        session.step()?;
        losses.push(session.read(loss)?.as_f32().expect("it is a float")[0]);
    }
    let twin = case(name);
    if variant == Variant::Muon {
        return assert_magnifies_no_more(twin, &losses);
    }
    assert_close(twin, "losses", &HostTensor::f32([STEPS], losses)?, CLOSE);
    for case in all.iter().filter(|case| case.name == name) {
        for (tensor, expected) in case.tensors.iter().filter(|(tensor, _)| tensor.contains('.')) {
            let mut first = weights.read(tensor)?.as_f32().expect("they are floats").to_vec();
            first.truncate(expected.data.len());
            assert_close(case, tensor, &HostTensor::f32([first.len()], first)?, CLOSE);
        }
    }

    let mut g = Graph::new();
    let x = g.input("images", [SHOWN, 3, 32, 32])?;
    let logits = nn::TestTimeViews::new(net).translate(1).forward(&mut g, x, Mode::Eval)?;
    let mut session = Session::new(device(), Plan::new(&g, &[logits], device().caps())?, &weights)?;
    session.write(x, &pixels[..SHOWN * PIXELS])?;
    session.step()?;
    assert_close(twin, "logits", &session.read(logits)?, CLOSE);
    Ok(())
}

/// Muon makes directions of little gradient, which rounding fills, as large as the others. Its first steps are the twin's, and
/// later ones are no further from it than those of PyTorch in f32.
fn assert_magnifies_no_more(twin: &Fixture, losses: &[f32]) -> Result<()> {
    const ALIKE: usize = 3;
    let (exact, rounded) = (&twin.array("losses").data, &twin.array("losses_in_f32").data);
    let off = |found: f64, step: usize| (found - exact[step]).abs();
    let allowed = rounded.iter().enumerate().map(|(step, &loss)| off(loss, step)).fold(0.0, f64::max);
    for (step, &loss) in losses.iter().enumerate() {
        let (off, allowed) = (off(loss.into(), step), if step < ALIKE { CLOSE } else { allowed });
        assert!(off <= allowed, "step {step}: {loss} is off by {off:.1e}, allowed are {allowed:.1e}");
    }
    Ok(())
}

#[test]
fn sgd_with_lookahead_follows_its_twin() -> Result<()> {
    follows_its_twin(Variant::Sgd, "sgd")
}

#[test]
fn muon_follows_its_twin() -> Result<()> {
    follows_its_twin(Variant::Muon, "muon")
}
