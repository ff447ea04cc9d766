//! What sections share: the device, the data, running a graph once, and training a small classifier.

use crate::charts::Series;
use crate::page::{percent, short};
use crate::panels::Outcome;
use plotters::style::RGBColor;
use std::path::PathBuf;
use std::time::Instant;
use wgrad::data::{Images, Order};
use wgrad::nn::Layer;
use wgrad::optim::{Adam, Sgd};
use wgrad::{Device, Graph, HostTensor, Mode, Plan, Session, Value, Weights};

pub const PIXELS: usize = 28 * 28;
pub const CLASSES: usize = 10;
/// Test images that are read together.
const READ: usize = 100;

pub struct Lab {
    pub device: Device,
    pub folder: PathBuf,
    pub quick: bool,
    pub train: Images,
    pub test: Images,
}

/// How a network is trained.
pub struct Recipe {
    pub steps: usize,
    pub batch: usize,
    pub rate: f32,
    pub adam: bool,
    pub seed: u64,
    /// The images to train on; all if empty. An image may be there more than once.
    pub items: Vec<usize>,
}

/// A trained network: its weights, and the loss of each step.
pub struct Trained {
    pub weights: Weights,
    pub losses: Vec<f64>,
}

impl Trained {
    /// The mean loss of the last tenth of the steps.
    pub fn final_loss(&self) -> f64 {
        mean(&self.losses[self.losses.len() - self.losses.len().div_ceil(10)..])
    }
}

/// A network among others that are trained alike: what it came to, its row of a table and its curve.
pub struct Compared {
    pub trained: Trained,
    pub score: Score,
    /// Name, loss of training, test loss, accuracy.
    pub row: Vec<String>,
    pub curve: Series,
}

/// What a network makes of test images.
pub struct Score {
    pub accuracy: f64,
    /// Mean cross-entropy.
    pub loss: f64,
}

impl Lab {
    /// A size for a full run, and one for a quick one.
    pub fn pick<T>(&self, full: T, quick: T) -> T {
        if self.quick { quick } else { full }
    }

    pub fn path(&self, file: &str) -> PathBuf {
        self.folder.join(file)
    }

    pub fn session(&self, g: &Graph, outputs: &[Value]) -> wgrad::Result<Session> {
        let weights = Weights::init(&self.device, g, 0)?;
        Session::new(&self.device, Plan::new(g, outputs, self.device.caps())?, &weights)
    }

    /// Runs a graph without inputs once and reads these values.
    pub fn values(&self, g: &Graph, outputs: &[Value]) -> wgrad::Result<Vec<HostTensor>> {
        let mut session = self.session(g, outputs)?;
        session.step()?;
        outputs.iter().map(|&value| session.read(value)).collect()
    }

    /// Trains a classifier of digits.
    pub fn train(&self, net: &dyn Layer, recipe: &Recipe) -> Outcome<Trained> {
        let mut g = Graph::new();
        let pixels = g.input_u8("pixels", [recipe.batch, 1, 28, 28])?;
        let images = g.bytes_to_float(pixels)?;
        let labels = g.input_i32("labels", recipe.batch)?;
        let logits = net.forward(&mut g, images, Mode::Train)?;
        let loss = g.cross_entropy(logits, labels)?;
        let rate = g.input_scalar("rate")?;
        if recipe.adam {
            Adam::new(rate).minimize(&mut g, loss)?;
        } else {
            Sgd::new(rate).momentum(0.9).minimize(&mut g, loss)?;
        }
        let weights = Weights::init(&self.device, &g, recipe.seed)?;
        let mut session = Session::new(&self.device, Plan::new(&g, &[loss], self.device.caps())?, &weights)?;
        session.write_scalar(rate, recipe.rate)?;
        session.record(loss, recipe.steps)?;
        let items: Vec<usize> =
            if recipe.items.is_empty() { (0..self.train.len()).collect() } else { recipe.items.clone() };
        let (mut order, mut epoch) = (Vec::new(), 0);
        for _ in 0..recipe.steps {
            while order.len() < recipe.batch {
                order.extend(Order::shuffled(items.len(), recipe.seed, epoch)?.indices().map(|i| items[i]));
                epoch += 1;
            }
            let chosen: Vec<usize> = order.drain(..recipe.batch).collect();
            let (bytes, classes) = batch(&self.train, &chosen);
            session.write(pixels, &bytes)?;
            session.write(labels, &classes)?;
            session.step()?;
        }
        Ok(Trained { losses: session.recorded(loss)?.to_f64(), weights })
    }

    /// Trains one of several networks and tests it. Each point of its curve is the mean of `2 * half + 1` steps.
    pub fn compare(
        &self,
        (name, colour): (&str, RGBColor),
        net: &dyn Layer,
        recipe: &Recipe,
        half: usize,
    ) -> Outcome<Compared> {
        let trained = self.train(net, recipe)?;
        let score = self.score(&self.probabilities(net, &trained.weights, self.pick(2000, 300))?);
        let row =
            vec![name.to_owned(), short(trained.final_loss()), short(score.loss), percent(score.accuracy)];
        let curve = Series::line(name, colour, smoothed(&trained.losses, half));
        Ok(Compared { trained, score, row, curve })
    }

    /// The probabilities of all classes for the first `count` test images, rounded up to hundreds.
    pub fn probabilities(&self, net: &dyn Layer, weights: &Weights, count: usize) -> Outcome<Vec<f64>> {
        let mut g = Graph::new();
        let pixels = g.input_u8("pixels", [READ, 1, 28, 28])?;
        let images = g.bytes_to_float(pixels)?;
        let logits = net.forward(&mut g, images, Mode::Eval)?;
        let probabilities = g.softmax(logits, 1)?;
        let plan = Plan::new(&g, &[probabilities], self.device.caps())?;
        let mut session = Session::new(&self.device, plan, weights)?;
        let mut all = Vec::new();
        for first in (0..count).step_by(READ) {
            let chosen: Vec<usize> = (first..first + READ).map(|i| i % self.test.len()).collect();
            session.write(pixels, &batch(&self.test, &chosen).0)?;
            session.step()?;
            all.extend(session.read(probabilities)?.to_f64());
        }
        Ok(all)
    }

    /// Compares probabilities of the first test images with their labels.
    pub fn score(&self, probabilities: &[f64]) -> Score {
        let rows = probabilities.chunks_exact(CLASSES);
        let samples = rows.len().max(1) as f64;
        let (mut right, mut loss) = (0.0, 0.0);
        for (i, row) in rows.enumerate() {
            let label = usize::from(self.test.labels()[i % self.test.len()]);
            let best = (0..CLASSES).max_by(|&a, &b| row[a].total_cmp(&row[b])).unwrap_or(0);
            right += f64::from(u8::from(best == label));
            loss -= row[label].max(1e-12).ln();
        }
        Score { accuracy: right / samples, loss: loss / samples }
    }
}

/// Pixels and labels of these images.
pub fn batch(data: &Images, indices: &[usize]) -> (Vec<u8>, Vec<i32>) {
    let pixels = indices.iter().flat_map(|&i| data.image(i).unwrap_or_default()).copied().collect();
    (pixels, indices.iter().map(|&i| i32::from(data.labels()[i])).collect())
}

/// Seconds of one step: the mean of `runs` after one that is not counted.
pub fn seconds(session: &mut Session, runs: usize) -> wgrad::Result<f64> {
    session.step()?;
    session.wait()?;
    let start = Instant::now();
    for _ in 0..runs {
        session.step()?;
    }
    session.wait()?;
    Ok(start.elapsed().as_secs_f64() / runs as f64)
}

pub fn mean(numbers: &[f64]) -> f64 {
    numbers.iter().sum::<f64>() / numbers.len().max(1) as f64
}

/// The standard deviation (divides by n - 1).
pub fn deviation(numbers: &[f64]) -> f64 {
    let middle = mean(numbers);
    let squares: f64 = numbers.iter().map(|x| (x - middle).powi(2)).sum();
    (squares / numbers.len().saturating_sub(1).max(1) as f64).sqrt()
}

/// The root of the mean square.
pub fn rms(numbers: impl IntoIterator<Item = f64>) -> f64 {
    let (squares, count) = numbers.into_iter().fold((0.0, 0.0), |(sum, n), x| (sum + x * x, n + 1.0));
    (squares / f64::max(count, 1.0)).sqrt()
}

/// The mean of each value and the `2 * half` values around it, to draw a noisy curve.
pub fn smoothed(values: &[f64], half: usize) -> Vec<(f64, f64)> {
    let around = |i: usize| &values[i.saturating_sub(half)..(i + half + 1).min(values.len())];
    (0..values.len()).map(|i| ((i + 1) as f64, mean(around(i)))).collect()
}

/// Numbers from 0 to 1 that look random.
pub fn hash(mut i: u32) -> f32 {
    i = (i ^ (i >> 16)).wrapping_mul(0x7feb_352d);
    i = (i ^ (i >> 15)).wrapping_mul(0x846c_a68b);
    (i ^ (i >> 16)) as f32 / u32::MAX as f32
}
