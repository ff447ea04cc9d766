//! Segments pictures: U-Net (Ronneberger, Fischer and Brox, 2015) learns to say of each pixel which shape it belongs to.
//! Writes a picture of scenes, their classes, and what the network makes of them.

#[path = "../program/mod.rs"]
mod program;
mod scenes;

use program::{Outcome, say};
use scenes::{CLASSES, Scenes};
use std::path::PathBuf;
use wgrad::data::{Dataset, Grid};
use wgrad::nn::models::unet;
use wgrad::optim::{AdamW, Schedule};
use wgrad::train::{Confusion, Lines, Supervised, Trainer};
use wgrad::{Device, HostTensor};

/// Channels of U-Net's first stage. The paper's has 64.
const WIDTH: usize = 8;
/// Colours of the classes on the picture.
const COLOURS: [[u8; 3]; 4] = [[25, 28, 38], [232, 119, 34], [52, 132, 214], [76, 175, 80]];
/// Scenes on the picture.
const SHOWN: usize = 12;
const HELP: &str = "\
usage: segment [--scenes N] [--epochs N] [--picture FILE]
  --scenes N      scenes to train on (default 900)
  --epochs N      passes over them (default 4)
  --picture FILE  where the picture goes (default segment.png)
";

fn main() -> std::process::ExitCode {
    program::end(run())
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

    let (train, test) = (Scenes::new(options.scenes, 1), Scenes::new(100, 2));
    let mut trainer = Trainer::new(&device, Supervised::classifier(unet(3, CLASSES.len(), WIDTH)))
        .optimizer(|g, loss, rate| AdamW::new(rate).weight_decay(0.01).minimize(g, loss))
        .schedule(|steps| Schedule::cosine(0.004, steps, 0.0))
        .batch_size(8)
        .epochs(options.epochs)
        .unit("scenes")
        .metric(Confusion)
        .callback(Lines::new());
    let history = trainer.fit(&train, Some(&test))?;
    say!("{history}");

    let found = history.evaluation().and_then(|found| found.confusion.as_ref());
    let matrix = found.ok_or("the metric makes a matrix")?;
    say!("\n{}", matrix.table(test.class_names()).trim_end());
    let iou = matrix.mean(wgrad::train::ConfusionMatrix::iou);
    say!("\npixels of {} unseen scenes: accuracy {:.4}, mean IoU {iou:.4}", test.len(), matrix.accuracy());

    // The first of the scenes that were tested.
    let shown = Scenes::new(SHOWN, 2);
    let logits = trainer.predict(&shown)?.to_f64();
    let plane = Scenes::SIDE * Scenes::SIDE;
    let mut grid = Grid::new(6);
    for (index, logits) in logits.chunks(CLASSES.len() * plane).enumerate() {
        let (pixels, labels) = shown.draw(index);
        let logit = |class: usize, at: usize| logits[class * plane + at];
        let best = |at| (0..CLASSES.len()).max_by(|&a, &b| logit(a, at).total_cmp(&logit(b, at)));
        let truth = painted(|at| labels[at] as usize);
        let prediction = painted(|at| best(at).unwrap_or(0));
        for planes in [pixels, truth, prediction] {
            grid.push(&HostTensor::u8([1, 3, Scenes::SIDE, Scenes::SIDE], planes)?)?;
        }
    }
    grid.save(&options.picture)?;
    say!(
        "{} has scenes, their classes and what the network found",
        wgrad::file::printable_path(&options.picture)
    );
    Ok(())
}

/// The planes of red, green and blue of a picture that shows the class of each pixel.
fn painted(class: impl Fn(usize) -> usize) -> Vec<u8> {
    let plane = Scenes::SIDE * Scenes::SIDE;
    (0..3 * plane).map(|at| COLOURS[class(at % plane)][at / plane]).collect()
}

struct Options {
    scenes: usize,
    epochs: u64,
    picture: PathBuf,
}

/// `None` if the user asks for help.
fn options() -> Result<Option<Options>, lexopt::Error> {
    use lexopt::prelude::*;
    let mut options = Options { scenes: 900, epochs: 4, picture: "segment.png".into() };
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        let number = |parser: &mut lexopt::Parser| parser.value()?.parse::<std::num::NonZeroU32>();
        match argument {
            Long("scenes") => options.scenes = number(&mut parser)?.get() as usize,
            Long("epochs") => options.epochs = number(&mut parser)?.get().into(),
            Long("picture") => options.picture = parser.value()?.into(),
            Long("help") | Short('h') => return Ok(None),
            _ => return Err(argument.unexpected()),
        }
    }
    Ok(Some(options))
}
