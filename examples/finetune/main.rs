//! Fine-tunes a pretrained network on other classes: ResNet-18 with torchvision's names gets a new head, which is
//! trained on a few pictures while the rest is frozen. Then the last stage is trained too, at a small rate.
//!
//! Any file of weights in torchvision's names will do, such as torchvision's own. Without one, the example pretrains a
//! narrow network first.

#[path = "../program/mod.rs"]
mod program;
mod shapes;

use program::{Outcome, say};
use shapes::{COMMON, RARE, Shapes};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use wgrad::Device;
use wgrad::data::{Dataset, save_augmented};
use wgrad::nn::{self, Augment, models::ResNet};
use wgrad::ops::augment::{Border, ColorJitter};
use wgrad::optim::{AdamW, Schedule};
use wgrad::train::{Accuracy, Lines, Supervised, Trainer};
use wgrad::weights::{LoadOptions, Metadata};

/// Channels of the first stage: torchvision's, and those of the network that the example pretrains.
const WIDTHS: [usize; 2] = [64, 16];
/// ImageNet's, which torchvision's networks were trained with.
const MEAN: [f64; 3] = [0.485, 0.456, 0.406];
const DEVIATION: [f64; 3] = [0.229, 0.224, 0.225];
const HELP: &str = "\
usage: finetune [--weights FILE] [--pretrain N] [--pictures N] [--epochs N] [--out FILE]
                [--augmented FILE]
  --weights FILE  ResNet-18 in torchvision's names (.safetensors, .pth); pretrains a
                  narrow network on drawn shapes if there is none
  --pretrain N    pictures to pretrain on (default 6000)
  --pictures N    pictures to fine-tune on (default 120)
  --epochs N      passes over them, for each of the two parts (default 8)
  --out FILE      where the network goes (default finetuned.safetensors)
  --augmented FILE  draws pictures as training changes them (.png)
";

fn main() -> std::process::ExitCode {
    program::end(run())
}

fn run() -> Outcome<()> {
    let Some(options) = options()? else {
        say!("{}", HELP.trim_end());
        return Ok(());
    };
    wgrad::file::check_writable(&options.out)?;
    let device = Device::open()?;
    say!("{}", device.summary());
    let (file, width) = match &options.weights {
        Some(file) => (file.clone(), WIDTHS[0]),
        None => (pretrained(&device, &options)?, WIDTHS[1]),
    };
    let resnet = ResNet::basic([2; 4]).width(width);
    let features = 8 * width;
    let known = Metadata::read(&file)?.class_names;
    say!("{} knows {}", wgrad::file::printable_path(&file), listed(&known));

    let few = Shapes::new(RARE, options.pictures, 1);
    let unseen = Shapes::new(RARE, 300, 2);
    if let Some(path) = &options.augmented {
        save_augmented(path, &device, &augment(), &few, 4, 9)?;
        say!("{} has pictures and what training makes of them", wgrad::file::printable_path(path));
    }
    let names = few.class_names().to_vec();
    let tuned = |net: nn::Sequential, rate: f64| {
        trainer(&device, net)
            .batch_size(20)
            .epochs(options.epochs)
            .schedule(move |steps| Schedule::cosine(rate, steps, 0.0))
    };

    // The pretrained network with another head. Everything in front of it keeps weights and running statistics.
    let mut net = resnet.build(3, 1000);
    net.replace("fc", nn::Linear::new(features, names.len()))?;
    net.freeze_before("fc")?;
    say!("\ntrains the head alone");
    let all_but_the_head = LoadOptions::new().strip_wrappers().filter(|name| !name.starts_with("fc."));
    let mut trainer = tuned(net, 0.01).start(move |weights| {
        say!("{}", weights.load_with(&file, &all_but_the_head)?);
        weights.set_metadata(metadata(&names, width))
    });
    trainer.fit(&few, Some(&unseen))?;
    trainer.weights()?.save(&options.out)?;

    // The head is good enough now not to spoil the last stage.
    let mut net = resnet.build(3, 1000);
    net.replace("fc", nn::Linear::new(features, RARE.len()))?;
    net.freeze_before("layer4")?;
    say!("\ntrains the last stage too");
    let out = options.out.clone();
    let mut trainer = tuned(net, 0.001).start(move |weights| {
        weights.load(&out)?;
        weights.set_metadata(Metadata::read(&out)?)
    });
    trainer.fit(&few, Some(&unseen))?;
    trainer.weights()?.save(&options.out)?;

    say!("\nfor comparison, the same pictures without pretraining");
    tuned(resnet.build(3, RARE.len()), 0.003).fit(&few, Some(&unseen))?;

    // What another program needs is in the file: weights, class names, normalisation.
    let classes = Metadata::read(&options.out)?.class_names;
    let mut net = resnet.build(3, 1000);
    net.replace("fc", nn::Linear::new(features, classes.len()))?;
    let found = self::trainer(&device, net).load(&options.out).evaluate(&unseen)?;
    say!("\n{} tells {}: {found}", wgrad::file::printable_path(&options.out), classes.join(", "));
    Ok(())
}

/// What training does to pictures, and their normalisation, which is what torchvision's networks expect.
fn augment() -> Augment {
    let colors = ColorJitter { brightness: 0.2, contrast: 0.2, ..ColorJitter::default() };
    let augment = Augment::new(1).random_crop([Shapes::SIDE; 2], 3).flip(0.5).border(Border::Reflect);
    augment.color_jitter(colors).normalize(&MEAN, &DEVIATION)
}

/// A trainer of a classifier.
fn trainer(device: &Device, net: nn::Sequential) -> Trainer {
    Trainer::new(device, Supervised::classifier(Arc::new(net)).augment(augment()))
        .optimizer(|g, loss, rate| AdamW::new(rate).weight_decay(0.01).minimize(g, loss))
        .metric(Accuracy)
        .callback(Lines::new())
}

/// Pretrains a narrow network and returns its file, which has torchvision's names.
fn pretrained(device: &Device, options: &Options) -> Outcome<PathBuf> {
    let path = options.out.with_file_name("pretrained.safetensors");
    wgrad::file::check_writable(&path)?;
    say!("pretrains on {} drawn shapes", options.pretrain);
    let shapes = Shapes::new(COMMON, options.pretrain, 0);
    let mut trainer = trainer(device, ResNet::basic([2; 4]).width(WIDTHS[1]).build(3, COMMON.len()))
        .batch_size(50)
        .schedule(|steps| Schedule::cosine(0.003, steps, 0.0));
    trainer.fit(&shapes, Some(&Shapes::new(COMMON, 300, 3)))?;
    let weights = trainer.weights()?;
    weights.set_metadata(metadata(shapes.class_names(), WIDTHS[1]))?;
    weights.save(&path)?;
    Ok(path)
}

fn metadata(class_names: &[String], width: usize) -> Metadata {
    let mut metadata = Metadata::default();
    // A narrow one has no name.
    metadata.network = (width == WIDTHS[0]).then(|| "resnet18".into());
    metadata.class_names = class_names.to_vec();
    [metadata.mean, metadata.deviation] = [MEAN, DEVIATION].map(|all| all.map(|x| x as f32).to_vec());
    metadata.input_shape = Some([3, Shapes::SIDE, Shapes::SIDE].into());
    metadata
}

fn listed(names: &[String]) -> String {
    match names {
        [] => "classes that it does not name".to_owned(),
        names => names.join(", "),
    }
}

struct Options {
    weights: Option<PathBuf>,
    pretrain: usize,
    pictures: usize,
    epochs: u64,
    out: PathBuf,
    augmented: Option<PathBuf>,
}

/// `None` if the user asks for help.
fn options() -> Result<Option<Options>, lexopt::Error> {
    use lexopt::prelude::*;
    let out = Path::new("finetuned.safetensors").to_owned();
    let mut options =
        Options { weights: None, pretrain: 6000, pictures: 120, epochs: 8, out, augmented: None };
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        let number = |parser: &mut lexopt::Parser| parser.value()?.parse::<std::num::NonZeroU32>();
        match argument {
            Long("weights") => options.weights = Some(parser.value()?.into()),
            Long("pretrain") => options.pretrain = number(&mut parser)?.get() as usize,
            Long("pictures") => options.pictures = number(&mut parser)?.get() as usize,
            Long("epochs") => options.epochs = number(&mut parser)?.get().into(),
            Long("out") => options.out = parser.value()?.into(),
            Long("augmented") => options.augmented = Some(parser.value()?.into()),
            Long("help") | Short('h') => return Ok(None),
            _ => return Err(argument.unexpected()),
        }
    }
    Ok(Some(options))
}
