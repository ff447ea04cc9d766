//! Tells letters apart that it has never seen: a network learns to put pictures of one letter close together and others
//! far apart (Schroff, Kalenichenko and Philbin, "FaceNet: a unified embedding for face recognition and clustering",
//! 2015). New letters are then read by their nearest neighbour. Writes a picture of queries and their neighbours.

mod glyphs;
#[path = "../program/mod.rs"]
mod program;

use glyphs::{Letters, SIDE, Triplets};
use program::{Outcome, say};
use std::path::PathBuf;
use wgrad::data::{Dataset, Grid};
use wgrad::nn::{self, Layer};
use wgrad::ops::losses::TripletMarginOptions;
use wgrad::optim::{AdamW, Schedule};
use wgrad::train::{Fields, Lines, Task, Trainer};
use wgrad::{Device, Graph, HostTensor, Mode, Result, Value};

/// Letters that are kept from training.
const UNSEEN: usize = 20;
/// Pictures of each of them that are known, and that are asked about.
const HANDS: [u64; 2] = [5, 20];
const HELP: &str = "\
usage: siamese [--letters N] [--triplets N] [--epochs N] [--picture FILE]
  --letters N     letters to train on, 2 or more (default 200)
  --triplets N    triplets of pictures of them (default 3000)
  --epochs N      passes over the triplets (default 3)
  --picture FILE  where the picture goes (default siamese.png)
";

fn main() -> std::process::ExitCode {
    program::end(run())
}

/// Embeds the first field. Training pulls it to the positive and pushes it from the negative.
#[derive(Debug)]
struct Triplet(nn::Sequential);

impl Triplet {
    /// Points of the unit sphere. Each call uses the same weights.
    fn embed(&self, g: &mut Graph, pictures: Value, mode: Mode) -> Result<Value> {
        let x = self.0.forward(g, pictures, mode)?;
        let length = g.vector_norm(x, 2.0, &[1], true)?;
        g.div(x, length)
    }
}

impl Task for Triplet {
    fn predict(&self, g: &mut Graph, fields: &Fields, mode: Mode) -> Result<Value> {
        self.embed(g, fields.at(0)?, mode)
    }

    fn loss(&self, g: &mut Graph, fields: &Fields, anchor: Value, mode: Mode) -> Result<Value> {
        let positive = self.embed(g, fields.get("positive")?, mode)?;
        let negative = self.embed(g, fields.get("negative")?, mode)?;
        g.triplet_margin_loss_with(anchor, positive, negative, TripletMarginOptions::new().margin(0.5))
    }
}

fn network() -> nn::Sequential {
    let mut net = nn::Sequential::new();
    for (i, [from, to]) in [[1, 16], [16, 32], [32, 64]].into_iter().enumerate() {
        net = net
            .add(format!("conv{i}"), nn::Conv2d::new(from, to, [3, 3]).padding([1, 1]).bias(false))
            .add(format!("bn{i}"), nn::BatchNorm::new(to))
            .add(format!("relu{i}"), nn::Relu)
            .add(format!("pool{i}"), nn::MaxPool2d::new([2, 2]));
    }
    net.add("flatten", nn::Flatten).add("fc", nn::Linear::new(64 * 3 * 3, 32))
}

fn run() -> Outcome<()> {
    let Some(options) = options()? else {
        say!("{}", HELP.trim_end());
        return Ok(());
    };
    if options.letters < 2 {
        return Err("--letters: found 1, expected at least 2, since a triplet has two".into());
    }
    wgrad::file::check_writable(&options.picture)?;
    let device = Device::open()?;
    say!("{}", device.summary());

    let unseen = options.letters..options.letters + UNSEEN;
    let mut trainer = Trainer::new(&device, Triplet(network()))
        .optimizer(|g, loss, rate| AdamW::new(rate).weight_decay(0.01).minimize(g, loss))
        .schedule(|steps| Schedule::cosine(0.003, steps, 0.0))
        .batch_size(50)
        .epochs(options.epochs)
        .unit("triplets")
        .callback(Lines::new());
    let train = Triplets::new(0..options.letters, options.triplets, 1);
    let history = trainer.fit(&train, Some(&Triplets::new(unseen.clone(), 500, 2)))?;
    say!("{history}");

    // Letters that training had none of: a few pictures of each are known, and others are asked about.
    let known = Letters::new(unseen.clone(), 0..HANDS[0]);
    let asked = Letters::new(unseen, HANDS[0]..HANDS[0] + HANDS[1]);
    let [of_known, of_asked] = [rows(&trainer.predict(&known)?), rows(&trainer.predict(&asked)?)];
    let pixels = |letters: &Letters| -> Vec<Vec<f64>> {
        (0..letters.len()).map(|i| letters.draw(i).into_iter().map(f64::from).collect()).collect()
    };
    let (pixels_known, pixels_asked) = (pixels(&known), pixels(&asked));
    say!("\n{} pictures of {UNSEEN} unseen letters, read by their nearest neighbour", asked.len());
    for hands in [1, HANDS[0] as usize] {
        let right = |known: &[Vec<f64>], asked: &[Vec<f64>]| {
            let known = &known[..hands * UNSEEN];
            let hit = |&i: &usize| nearest(&asked[i], known)[0] % UNSEEN == i % UNSEEN;
            100.0 * (0..asked.len()).filter(hit).count() as f64 / asked.len() as f64
        };
        let (by_pixels, learned) = (right(&pixels_known, &pixels_asked), right(&of_known, &of_asked));
        say!("{hands} known of each: {by_pixels:.1} % right by pixels, {learned:.1} % by the embedding");
    }

    // A query and its nearest neighbours in each row.
    let mut grid = Grid::new(9);
    for (query, embedding) in of_asked.iter().enumerate().take(10) {
        grid.push(&tinted(&asked.draw(query), [255, 255, 255])?)?;
        for neighbour in nearest(embedding, &of_known).into_iter().take(8) {
            let right = neighbour % UNSEEN == query % UNSEEN;
            let tint = if right { [110, 220, 120] } else { [240, 100, 80] };
            grid.push(&tinted(&known.draw(neighbour), tint)?)?;
        }
    }
    grid.save(&options.picture)?;
    say!("{} has queries and their neighbours", wgrad::file::printable_path(&options.picture));
    Ok(())
}

/// The embeddings one by one.
fn rows(embeddings: &HostTensor) -> Vec<Vec<f64>> {
    embeddings.to_f64().chunks(embeddings.shape[1]).map(<[f64]>::to_vec).collect()
}

/// The numbers of these points, the nearest one first.
fn nearest(of: &[f64], points: &[Vec<f64>]) -> Vec<usize> {
    let distance = |point: &Vec<f64>| of.iter().zip(point).map(|(a, b)| (a - b) * (a - b)).sum::<f64>();
    let mut found: Vec<(usize, f64)> = points.iter().map(distance).enumerate().collect();
    found.sort_by(|a, b| a.1.total_cmp(&b.1));
    found.into_iter().map(|(number, _)| number).collect()
}

/// A picture of grey pixels in this colour.
fn tinted(pixels: &[u8], colour: [u8; 3]) -> Result<HostTensor> {
    let planes = colour.map(|part| pixels.iter().map(move |&x| (u16::from(x) * u16::from(part) / 255) as u8));
    HostTensor::u8([1, 3, SIDE, SIDE], planes.into_iter().flatten().collect())
}

struct Options {
    letters: usize,
    triplets: usize,
    epochs: u64,
    picture: PathBuf,
}

/// `None` if the user asks for help.
fn options() -> std::result::Result<Option<Options>, lexopt::Error> {
    use lexopt::prelude::*;
    let mut options = Options { letters: 200, triplets: 3000, epochs: 3, picture: "siamese.png".into() };
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        let number = |parser: &mut lexopt::Parser| parser.value()?.parse::<std::num::NonZeroU32>();
        match argument {
            Long("letters") => options.letters = number(&mut parser)?.get() as usize,
            Long("triplets") => options.triplets = number(&mut parser)?.get() as usize,
            Long("epochs") => options.epochs = number(&mut parser)?.get().into(),
            Long("picture") => options.picture = parser.value()?.into(),
            Long("help") | Short('h') => return Ok(None),
            _ => return Err(argument.unexpected()),
        }
    }
    Ok(Some(options))
}
