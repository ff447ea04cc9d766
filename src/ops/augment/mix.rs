//! Samples mixed with their neighbours in the batch: mixup and cutmix.

use crate::error::{Error, Result};
use crate::graph::{Graph, Value};
use crate::op::{LowerContext, Operator};
use crate::ops::checks;
use crate::shader::parts;
use crate::tensor::{HostTensor, Shape, TensorType};

/// Entries of each table.
pub(crate) const SHARES: usize = 1024;

/// How samples are mixed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Mixing {
    /// The weighted mean of both (Zhang et al., "mixup", 2018).
    Mixup,
    /// The weighted mean by the share of a rectangle within planes of this height and width: labels of cutmix.
    CutmixLabels([usize; 2]),
    /// A rectangle of the other (Yun et al., "CutMix", 2019). The last two dimensions are height and width.
    Cutmix,
}

/// Each sample mixed with the one before it, the first with the last. The batch shares one draw, as in torchvision.
/// Inputs: x of any shape, samples first; the step counter; [`mix_tables`]. Output: as x.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Mix {
    /// How.
    pub mixing: Mixing,
    /// Seed of the run.
    pub seed: u64,
    /// Number of this mixing in its graph. Images and labels have the same.
    pub node: u32,
}

impl Mix {
    /// Height and width of the planes that a rectangle is cut from.
    pub(crate) fn plane(&self, shape: &Shape) -> Option<[usize; 2]> {
        match self.mixing {
            Mixing::Mixup => None,
            Mixing::CutmixLabels(plane) => Some(plane),
            Mixing::Cutmix => Some([shape[shape.len() - 2], shape[shape.len() - 1]]),
        }
    }
}

impl Operator for Mix {
    fn name(&self) -> &'static str {
        "mix"
    }

    fn arity(&self) -> (usize, usize) {
        (3, 3)
    }

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        checks::f32_input(inputs[0])?;
        let shape = &inputs[0].shape;
        if shape.is_empty() || (self.mixing == Mixing::Cutmix && shape.len() < 3) {
            return Err(format!("expects samples first, and for cutmix planes last, found {shape}"));
        }
        if self.plane(shape).is_some_and(|plane| plane.iter().any(|side| !(1..=4095).contains(side))) {
            return Err(format!("planes have sides of 1 to 4095, found {:?}", self.plane(shape)));
        }
        let expected = [TensorType::u32(Shape::scalar()), TensorType::f32([3, SHARES])];
        if *inputs[1] != expected[0] || *inputs[2] != expected[1] {
            let [step, tables] = expected;
            return Err(format!("expects {step} and {tables}, found {} and {}", inputs[1], inputs[2]));
        }
        Ok(vec![inputs[0].clone()])
    }

    fn lower(&self, cx: &mut LowerContext<'_>) -> Result<()> {
        let shape = cx.input_type(0).shape.clone();
        let (kernel, groups) = cx.made_by(&parts::mix, shape.elements(), 1)?;
        let [h, w] = self.plane(&shape).unwrap_or([1, 1]);
        let kernel = kernel
            .with("SEED_LOW", self.seed as u32)
            .with("SEED_HIGH", (self.seed >> 32) as u32)
            .with("NODE", self.node)
            .with("N", cx.index(shape[0])?)
            .with("ROW", cx.index(shape[1..].iter().product())?)
            .with("H", cx.index(h)?)
            .with("W", cx.index(w)?)
            .with("CUTS", self.mixing != Mixing::Mixup)
            .with("BOXES", self.mixing == Mixing::Cutmix)
            .iterations(10);
        let operands = [cx.input(0), cx.input(1), cx.input(2), cx.output(0)];
        cx.dispatch_epilogue(kernel, &operands, groups, 1);
        Ok(())
    }

    fn has_epilogue(&self) -> bool {
        true
    }
}

/// The tables that [`Mix`] draws from, `[3, 1024]`: quantiles of Beta(alpha, alpha) at (i + 1/2) / 1024, and for each, half
/// the height and half the width of a rectangle with the rest of the area of such a plane, rounded down.
///
/// # Errors
/// An alpha below 0.01 or above 16.
pub fn mix_tables(alpha: f64, plane: [usize; 2]) -> Result<HostTensor, String> {
    if !(0.01..=16.0).contains(&alpha) {
        return Err(format!("alpha has to be between 0.01 and 16, found {alpha}"));
    }
    let half = incomplete_beta(alpha, 0.5);
    let shares: Vec<f64> = (0..SHARES)
        .map(|i| {
            let wanted = (i as f64 + 0.5) / SHARES as f64;
            let (target, mirrored) = if wanted > 0.5 { (1.0 - wanted, true) } else { (wanted, false) };
            let (mut low, mut high) = (0.0, 0.5);
            for _ in 0..60 {
                let middle = 0.5 * (low + high);
                if incomplete_beta(alpha, middle) < 2.0 * half * target {
                    low = middle
                } else {
                    high = middle
                }
            }
            if mirrored { 1.0 - low } else { low }
        })
        .collect();
    let mut data: Vec<f32> = shares.iter().map(|&share| share as f32).collect();
    for side in plane {
        data.extend(shares.iter().map(|share| (0.5 * (1.0 - share).sqrt() * side as f64).floor() as f32));
    }
    HostTensor::f32([3, SHARES], data).map_err(|error| error.to_string())
}

/// The integral of (t (1 - t))^(alpha - 1) from 0 to x, for x up to 1/2: its power series.
fn incomplete_beta(alpha: f64, x: f64) -> f64 {
    let (mut term, mut sum) = (1.0, 1.0 / alpha);
    for n in 1..1000 {
        let n = f64::from(n);
        term *= (n - alpha) / n * x;
        sum += term / (alpha + n);
        if term.abs() < 1e-17 * sum.abs() && n > alpha {
            break;
        }
    }
    x.powf(alpha) * sum
}

/// Images that were mixed, and what mixes their labels in the same way.
pub(crate) struct Mixed {
    pub images: Value,
    labels: Mix,
    inputs: [Value; 2],
}

impl Graph {
    /// Mixup of images (f32, samples first) and their labels as probabilities (`[n, classes]`, [`Graph::one_hot`]): each
    /// sample is mixed with the one before it, by a share from Beta(alpha, alpha) that the batch has in common and that
    /// is drawn from (seed, step). Zhang et al., "mixup: Beyond empirical risk minimization", 2018.
    ///
    /// ```
    /// # fn main() -> wgrad::Result<()> {
    /// let mut g = wgrad::Graph::new();
    /// let images = g.input("images", [32, 3, 64, 64])?;
    /// let labels = g.input_i32("labels", [32])?;
    /// let targets = g.one_hot(labels, 10)?;
    /// let (images, targets) = g.mixup(images, targets, 0.2, 7)?;
    /// // The network's logits [32, 10] take the loss `g.cross_entropy_of_probabilities(logits, targets)`.
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Images or labels that are not f32 or of different numbers, an alpha outside 0.01 to 16.
    pub fn mixup(&mut self, images: Value, labels: Value, alpha: f64, seed: u64) -> Result<(Value, Value)> {
        let mixed = self.mix_images(images, false, alpha, seed)?;
        Ok((mixed.images, self.mix_labels(&mixed, labels)?))
    }

    /// Cutmix of images (N, C, H, W) and their labels as probabilities (`[n, classes]`): each sample has a rectangle of
    /// the one before it, whose area is 1 minus a share from Beta(alpha, alpha) that the batch has in common. It is cut
    /// off at the image's border, and the labels follow the area that is left. Yun et al., "CutMix: Regularization
    /// strategy to train strong classifiers with localizable features", 2019.
    ///
    /// # Errors
    /// As [`Graph::mixup`]; images of fewer than three dimensions.
    pub fn cutmix(&mut self, images: Value, labels: Value, alpha: f64, seed: u64) -> Result<(Value, Value)> {
        let mixed = self.mix_images(images, true, alpha, seed)?;
        Ok((mixed.images, self.mix_labels(&mixed, labels)?))
    }

    pub(crate) fn mix_images(&mut self, images: Value, cut: bool, alpha: f64, seed: u64) -> Result<Mixed> {
        let shape = self.shape(images)?.clone();
        let (setting, mixings, plane) = match (cut, &shape[..]) {
            (false, _) => ("mixup", [Mixing::Mixup; 2], [1, 1]),
            (true, &[_, .., h, w]) => ("cutmix", [Mixing::Cutmix, Mixing::CutmixLabels([h, w])], [h, w]),
            (true, _) => {
                let message = format!("expects images [n, channels, height, width], found {shape}");
                return Err(self.refusal("mix", message));
            }
        };
        let tables = mix_tables(alpha, plane).map_err(|message| Error::Setting { setting, message })?;
        // Both of a pair have the number of the first.
        let node = self.count_of("mix") as u32;
        let inputs = [self.step_counter(), self.constant(tables)?];
        let [images_mix, labels] = mixings.map(|mixing| Mix { mixing, seed, node });
        let images = self.apply1(images_mix, &[images, inputs[0], inputs[1]])?;
        Ok(Mixed { images, labels, inputs })
    }

    pub(crate) fn mix_labels(&mut self, mixed: &Mixed, labels: Value) -> Result<Value> {
        let [samples, rows] = [self.shape(mixed.images)?.clone(), self.shape(labels)?.clone()];
        if samples.first() != rows.first() {
            let message = format!("expects labels of each sample of {samples}, found {rows}");
            return Err(self.refusal("mix", message));
        }
        self.apply1(mixed.labels, &[labels, mixed.inputs[0], mixed.inputs[1]])
    }

    /// The mean over rows of the cross-entropy of `logits [n, classes]` with target probabilities `[n, classes]`, as
    /// PyTorch's `cross_entropy` of probabilities. Its gradient is by the logits, and by the targets where asked.
    ///
    /// # Errors
    /// Tensors that are not `[n, classes]` of one shape.
    pub fn cross_entropy_of_probabilities(&mut self, logits: Value, targets: Value) -> Result<Value> {
        let [found, expected] = [self.shape(targets)?.clone(), self.shape(logits)?.clone()];
        if expected.len() != 2 || found != expected {
            let message = format!("expects logits and targets [n, classes], found {expected} and {found}");
            return Err(self.refusal("cross_entropy_of_probabilities", message));
        }
        let log = self.log_softmax(logits, 1)?;
        let terms = self.mul(targets, log)?;
        // The mean over rows by the mean over all, whatever the number of rows is in a file that leaves it open.
        let mean = self.mean(terms, &[0, 1], false)?;
        self.scale(mean, -(expected[1] as f32))
    }
}
