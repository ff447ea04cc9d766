//! Trains airbench94 on CIFAR-10: the network that reaches 94 % within seconds on a large GPU. Writes its weights.
//!
//! The files are those of the binary version, <https://www.cs.toronto.edu/~kriz/cifar.html>.

#[path = "../networks/airbench94.rs"]
mod airbench94;
mod options;
#[path = "../program/mod.rs"]
mod program;

use airbench94::{DEVIATION, EPS, KERNEL, LABEL_SMOOTHING, LOOKAHEAD, MEAN, Recipe, Variant};
use clap::Parser;
use options::Options;
use program::{Outcome, say};
use std::sync::Arc;
use wgrad::data::{Cifar, Dataset, Images, Numbered, Split};
use wgrad::nn::{self, Augment};
use wgrad::ops::augment::Border;
use wgrad::ops::losses::CrossEntropyOptions;
use wgrad::train::{Accuracy, ProgressBar, Supervised, Trainer};
use wgrad::weights::Metadata;
use wgrad::{Device, DeviceOptions, HostTensor};

/// Training images that the whitening filters are made from.
const WHITENED: usize = 5000;
/// The name of the field with each image's number, by which its mirroring alternates.
const NUMBER: &str = "number";

fn main() -> std::process::ExitCode {
    program::end(run())
}

fn run() -> Outcome<()> {
    let options = Options::parse();
    wgrad::file::check_writable(&options.out)?;
    let images = |split| Images::cifar(&options.data, Cifar::Ten, split);
    let (train, test) = (images(Split::Train)?, images(Split::Test)?);
    let recipe = recipe(&options, train.len())?;
    let mut opening = DeviceOptions::default().compiling(ProgressBar::compiling(!options.no_progress));
    if let Some(name) = &options.adapter {
        opening = opening.adapter(name);
    }
    let device = Device::open_with(&opening)?;
    say!("{}", device.summary());
    say!("{} images to train on, {} steps of {}", train.len(), recipe.steps, recipe.batch);

    let filters = nn::whitening_filters(&normalized(&train)?, KERNEL, EPS)?;
    let metadata = metadata(&train);
    let (train, test) = (Numbered::new(train, NUMBER)?, Numbered::new(test, NUMBER)?);
    let net = Arc::new(recipe.variant.network());
    let mut trainer = Trainer::new(&device, task(Arc::clone(&net), &options, &recipe))
        .schedule(move |_| recipe.rate())
        .optimizer(move |g, loss, rate| recipe.minimize(g, loss, rate))
        .batch_size(recipe.batch)
        .epochs(recipe.steps.div_ceil(recipe.steps_per_epoch))
        .max_steps(recipe.steps)
        .drop_last(true)
        .seed(options.seed)
        .unit("images")
        .metric(Accuracy)
        .callback(ProgressBar::new().shown(!options.no_progress))
        .start(move |weights| {
            weights.write("whiten.weight", filters.as_f32().unwrap_or_default())?;
            weights.set_metadata(metadata.clone())
        });
    for (name, schedule) in recipe.scalars()? {
        trainer = trainer.scheduled(name, move |_| Ok(schedule.clone()));
    }
    let history = trainer.fit(&train, Some(&test))?;
    say!("{history}");
    trainer.weights()?.save(&options.out)?;

    // The same weights, evaluated over six views of each image.
    let views = nn::TestTimeViews::new(net).translate(1);
    let mut evaluator = Trainer::new(&device, task(views, &options, &recipe))
        .load(&options.out)
        .batch_size(recipe.batch)
        .metric(Accuracy);
    say!("by six views of each image: {}", evaluator.evaluate(&test)?);
    say!("{} has the weights", wgrad::file::printable_path(&options.out));
    Ok(())
}

/// A classifier of images of bytes, which training mirrors in every other epoch and moves by up to 2 pixels.
fn task(net: impl nn::Layer + 'static, options: &Options, recipe: &Recipe) -> Supervised {
    let augment = Augment::new(options.seed)
        .random_crop([32, 32], 2)
        .border(Border::Reflect)
        .alternating_flip(NUMBER, u32::try_from(recipe.steps_per_epoch).unwrap_or(u32::MAX))
        .normalize(&MEAN, &DEVIATION);
    let loss = CrossEntropyOptions::new().label_smoothing(LABEL_SMOOTHING);
    Supervised::new(net, move |g, logits, labels| g.cross_entropy_with(logits, labels, loss)).augment(augment)
}

/// The steps of a run over so many images, as published but for what the user says.
fn recipe(options: &Options, images: usize) -> Outcome<Recipe> {
    let (variant, published) =
        if options.muon { (Variant::Muon, (2000, 8.0)) } else { (Variant::Sgd, (1024, 9.9)) };
    let (batch, epochs) = (
        options.batch_size.map_or(published.0, |batch| batch as usize),
        options.epochs.unwrap_or(published.1),
    );
    let steps_per_epoch = (images / batch) as u64;
    if steps_per_epoch == 0 {
        return Err(format!("{images} images make no batch of {batch}; take a smaller --batch-size").into());
    }
    let steps = (epochs * steps_per_epoch as f64).ceil().max(1.0) as u64;
    // A run with Lookahead ends on its slow weights.
    let steps = if options.muon { steps } else { (steps / LOOKAHEAD).max(1) * LOOKAHEAD };
    Ok(Recipe { variant, batch, steps_per_epoch, steps })
}

/// The first images, as the network takes them.
fn normalized(data: &Images) -> wgrad::Result<HostTensor> {
    let count = data.len().min(WHITENED);
    let plane = data.rows() * data.columns();
    let mut pixels = Vec::with_capacity(count * data.channels() * plane);
    for image in (0..count).filter_map(|index| data.image(index)) {
        for (i, &byte) in image.iter().enumerate() {
            pixels.push(((f64::from(byte) / 255.0 - MEAN[i / plane]) / DEVIATION[i / plane]) as f32);
        }
    }
    HostTensor::f32([count, data.channels(), data.rows(), data.columns()], pixels)
}

/// What another program needs to use the weights.
fn metadata(data: &Images) -> Metadata {
    let mut metadata = Metadata::default();
    metadata.class_names = data.class_names().to_vec();
    [metadata.mean, metadata.deviation] = [MEAN, DEVIATION].map(|all| all.map(|x| x as f32).to_vec());
    metadata.input_shape = Some([data.channels(), data.rows(), data.columns()].into());
    metadata
}
