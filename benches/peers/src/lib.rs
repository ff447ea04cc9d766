//! The peers' common part: the list of work, the batches, the clock, and the printed lines. A peer only
//! implements the work with its library ([`Peer`]), so that all do the same.

mod images;
mod measure;
pub mod work;

pub use images::Batch;
use images::Images;
pub use measure::median;
use measure::{Clock, Figure, peak_resident_megabytes};
use std::time::Instant;
use work::{Kind, Operator, Work};

/// A library that is compared.
pub trait Peer {
    /// Its name in the table.
    const NAME: &'static str;

    /// Opens the peer's default adapter.
    fn open() -> Self;

    /// The adapter's name and driver.
    fn adapter(&self) -> String;

    /// A training step of the seed network: SGD at a rate of 0.01 with momentum 0.9.
    fn training(&self, batch: usize) -> Box<dyn Network + '_>;

    /// The seed network's logits, in evaluation.
    fn inference(&self, batch: usize) -> Box<dyn Network + '_>;

    /// A single operator; with `backward` also its gradients, from a gradient of its output.
    fn operator(&self, operator: &Operator, backward: bool) -> Box<dyn Repeat + '_>;
}

/// A network that takes batches.
pub trait Network {
    /// Uploads the batch and runs a step. May return before the device is done.
    fn step(&mut self, batch: Batch);

    /// Waits for the device.
    fn wait(&mut self);

    /// The last training step's loss, to see that it trains.
    fn loss(&mut self) -> f32;
}

/// Work that is done again and again.
pub trait Repeat {
    /// Does the work [`passes`](Repeat::passes) times. May return before the device is done.
    fn run(&mut self);

    /// How often one run does the work.
    fn passes(&self) -> usize {
        1
    }

    /// Waits for the device.
    fn wait(&mut self);
}

/// The peer's whole program.
pub fn main<P: Peer>() {
    let started = Instant::now();
    let (short, list) = arguments().unwrap_or_else(|message| {
        let names: Vec<&str> = work::ALL.iter().map(|w| w.name).collect();
        eprintln!("error: {message}");
        eprintln!("Usage: {}-peer [--short] WORK...", P::NAME);
        eprintln!("Prints a JSON line for each figure. WORK is one of: {}", names.join(", "));
        std::process::exit(2);
    });
    let peer = P::open();
    println!("{}", serde_json::json!({ "peer": P::NAME, "adapter": peer.adapter() }));
    for work in list {
        for figure in measure(&peer, work, short, started) {
            println!("{}", figure.json(P::NAME));
        }
    }
}

fn arguments() -> Result<(bool, Vec<&'static Work>), String> {
    use lexopt::prelude::*;
    let mut parser = lexopt::Parser::from_env();
    let (mut short, mut list) = (false, Vec::new());
    while let Some(argument) = parser.next().map_err(|e| e.to_string())? {
        match argument {
            Long("short") => short = true,
            Value(name) => {
                let found = work::ALL.iter().find(|w| name == w.name);
                list.push(found.ok_or_else(|| format!("{name:?} is no work"))?);
            }
            other => return Err(other.unexpected().to_string()),
        }
    }
    if list.is_empty() { Err("nothing to do".into()) } else { Ok((short, list)) }
}

fn measure<P: Peer>(peer: &P, work: &Work, short: bool, started: Instant) -> Vec<Figure> {
    match &work.kind {
        Kind::Start => {
            let mut images = Images::load();
            let mut training = peer.training(64);
            training.step(images.batch(64));
            training.wait();
            vec![Figure::new("first step", "s", vec![started.elapsed().as_secs_f64()])]
        }
        Kind::Training(batch) => {
            let mut fed = Fed { network: peer.training(*batch), images: Images::load(), batch: *batch };
            fed.run();
            let before = fed.network.loss();
            let rates = fed.rates(short);
            let after = fed.network.loss();
            assert!(after < before, "the loss went from {before} to {after}: this is no training");
            let memory = peak_resident_megabytes();
            vec![
                Figure::new(format!("training, batch {batch}"), "images/s", rates),
                Figure::new(format!("peak resident memory, training, batch {batch}"), "MB", vec![memory]),
            ]
        }
        Kind::Inference(batch) => {
            let mut fed = Fed { network: peer.inference(*batch), images: Images::load(), batch: *batch };
            vec![Figure::new(format!("inference, batch {batch}"), "images/s", fed.rates(short))]
        }
        Kind::Operator { operator, backward } => measure_operator(peer, operator, *backward, short),
    }
}

/// Measures an operator's forward pass, and with `backward` both passes minus the forward pass.
fn measure_operator<P: Peer>(
    peer: &P,
    operator: &Operator,
    backward: Option<&str>,
    short: bool,
) -> Vec<Figure> {
    let clock = Clock::for_operators(short);
    let (unit, [forward_work, backward_work]) = operator.giga();
    let mut forward = peer.operator(operator, false);
    let Some(passes) = backward else {
        let seconds = clock.time([forward.as_mut()]);
        let rates = seconds.iter().map(|[s]| forward_work / s).collect();
        return vec![Figure::new(operator.to_string(), unit, rates)];
    };
    let mut both = peer.operator(operator, true);
    let seconds = clock.time([forward.as_mut(), both.as_mut()]);
    let rates = |work: f64, of: &dyn Fn(&[f64; 2]) -> f64| seconds.iter().map(|s| work / of(s)).collect();
    // A single difference may be lost in noise; the median of all is not.
    let differences: Vec<f64> = seconds.iter().map(|[f, b]| b - f).filter(|&d| d > 0.0).collect();
    assert!(median(&differences) > 0.0, "{operator}: both passes take no longer than one");
    vec![
        Figure::new(format!("{operator}, forward"), unit, rates(forward_work, &|s| s[0])),
        Figure::new(
            format!("{operator}, {passes}"),
            unit,
            differences.iter().map(|d| backward_work / d).collect(),
        ),
    ]
}

/// A network with the data that feeds it: each run makes a batch on the host and uploads it.
struct Fed<'p> {
    network: Box<dyn Network + 'p>,
    images: Images,
    batch: usize,
}

impl Fed<'_> {
    fn rates(&mut self, short: bool) -> Vec<f64> {
        let batch = self.batch as f64;
        let seconds = Clock::for_networks(short).time([self as &mut dyn Repeat]);
        seconds.iter().map(|[s]| batch / s).collect()
    }
}

impl Repeat for Fed<'_> {
    fn run(&mut self) {
        self.network.step(self.images.batch(self.batch));
    }

    fn wait(&mut self) {
        self.network.wait();
    }
}
