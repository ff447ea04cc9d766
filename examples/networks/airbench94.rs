//! airbench94 (Jordan, 2024, "94% on CIFAR-10 in 3.29 Seconds on a Single GPU"): its network, optimizers and schedules.
//! An example and a test share it.

#![allow(unreachable_pub, reason = "modules of a program share what they need")]
#![allow(dead_code, reason = "each program reads its part")]

use wgrad::graph::{Fan, Init, Nonlinearity};
use wgrad::nn::{BatchNorm, Conv2d, Flatten, Gelu, Layer, Linear, MaxPool2d, Sequential};
use wgrad::optim::{Lookahead, Muon, RateAdjustment, Schedule, Sgd};
use wgrad::{Error, Graph, HostTensor, Mode, Result, Shape, Value};

/// CIFAR-10's, by which images are normalised.
pub const MEAN: [f64; 3] = [0.4914, 0.4822, 0.4465];
pub const DEVIATION: [f64; 3] = [0.2470, 0.2435, 0.2616];
/// Height and width of the whitening filters, and what is added to the variances that they divide by.
pub const KERNEL: [usize; 2] = [2, 2];
pub const EPS: f64 = 5e-4;
/// Two filters for each of the numbers under the kernel.
const WHITENED: usize = 2 * 3 * KERNEL[0] * KERNEL[1];
const WIDTHS: [usize; 3] = [64, 256, 256];
const CLASSES: usize = 10;
pub const LABEL_SMOOTHING: f32 = 0.2;
/// Nesterov's momentum of stochastic gradient descent.
const MOMENTUM: f64 = 0.85;
/// How many epochs the bias of the whitening layer is trained for.
const WHITENING_EPOCHS: u64 = 3;
/// Steps between those in which the slow weights move.
pub const LOOKAHEAD: u64 = 5;

/// Which of the published variants.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Variant {
    /// Stochastic gradient descent and Lookahead: 9.9 epochs in batches of 1024.
    Sgd,
    /// Muon for the filters, stochastic gradient descent for the rest: 8 epochs in batches of 2000.
    Muon,
}

/// A run of so many steps.
#[derive(Clone, Copy, Debug)]
pub struct Recipe {
    pub variant: Variant,
    pub batch: usize,
    pub steps_per_epoch: u64,
    pub steps: u64,
}

/// Multiplies by a number: logits that begin small are far from certain.
#[derive(Debug)]
struct Scale(f32);

impl Layer for Scale {
    fn forward(&self, g: &mut Graph, x: Value, _mode: Mode) -> Result<Value> {
        times(g, x, f64::from(self.0))
    }
}

fn times(g: &mut Graph, x: Value, factor: f64) -> Result<Value> {
    let factor = g.constant(HostTensor::f32(Shape::scalar(), vec![factor as f32])?)?;
    g.mul(x, factor)
}

/// A convolution that begins by handing on its inputs.
fn conv(inputs: usize, outputs: usize) -> Conv2d {
    let usual = Init::kaiming_uniform(Fan::In, Nonlinearity::LeakyRelu(f64::sqrt(5.0)));
    Conv2d::new(inputs, outputs, [3, 3])
        .padding([1, 1])
        .bias(false)
        .init(Init::Dirac { rest: Box::new(usual) })
}

fn group(inputs: usize, outputs: usize) -> Sequential {
    let norm = || BatchNorm::new(outputs).eps(1e-12).momentum(0.4);
    Sequential::new()
        .add("conv1", conv(inputs, outputs))
        .add("pool", MaxPool2d::new([2, 2]))
        .add("norm1", norm())
        .add("activ1", Gelu)
        .add("conv2", conv(outputs, outputs))
        .add("norm2", norm())
        .add("activ2", Gelu)
}

impl Variant {
    /// The network: images (N, 3, 32, 32) to logits. Write the whitening filters into `whiten.weight` before training.
    pub fn network(self) -> Sequential {
        let [first, second, third] = WIDTHS;
        let head = Linear::new(third, CLASSES).bias(false);
        let (head, scale) = match self {
            Variant::Sgd => (head, 1.0 / 9.0),
            // Of deviation 1.
            Variant::Muon => (head.init(Init::Uniform(f32::sqrt(3.0))), 1.0 / third as f32),
        };
        Sequential::new()
            .add("whiten", Conv2d::new(3, WHITENED, KERNEL).bias_init(Init::Constant(0.0)))
            .add("gelu", Gelu)
            .add("group1", group(WHITENED, first))
            .add("group2", group(first, second))
            .add("group3", group(second, third))
            .add("pool", MaxPool2d::new([3, 3]))
            .add("flatten", Flatten)
            .add("head", head)
            .add("scale", Scale(scale))
    }
}

/// What is never trained: the whitening filters, and batch norm's weights.
fn is_fixed(name: &str) -> bool {
    name == "whiten.weight" || (name.contains(".norm") && name.ends_with(".weight"))
}

fn is_filter(name: &str) -> bool {
    name.contains(".conv")
}

fn is_norm_bias(name: &str) -> bool {
    name.contains(".norm") && name.ends_with(".bias")
}

fn is_whitening_bias(name: &str) -> bool {
    name == "whiten.bias"
}

impl Recipe {
    /// The published rates are for the sum of a batch's losses; the loss here is the mean.
    fn of_mean(&self, rate: f64) -> f64 {
        rate * self.batch as f64
    }

    /// The first rate of stochastic gradient descent and its weight decay, which airbench states apart from each other and
    /// from the momentum.
    fn sgd(&self) -> (f64, f64) {
        let scale = 1024.0 * (1.0 + 1.0 / (1.0 - MOMENTUM));
        (self.of_mean(11.5 / scale), 0.0153 * self.batch as f64 / scale)
    }

    /// The learning rate: of all parameters, or with Muon of the filters.
    pub fn rate(&self) -> Result<Schedule> {
        match self.variant {
            Variant::Sgd => {
                let (up, rate) = (((self.steps as f64 * 0.23) as u64).max(1), self.sgd().0);
                let down = self.steps.saturating_sub(up).max(1);
                Ok(Schedule::linear(rate, 0.2, 1.0, up)?.then(up, Schedule::linear(rate, 1.0, 0.07, down)?))
            }
            Variant::Muon => Schedule::linear(0.24, 1.0, 0.0, self.steps),
        }
    }

    /// What else changes from step to step, by name.
    pub fn scalars(&self) -> Result<Vec<(&'static str, Schedule)>> {
        let whitened = WHITENING_EPOCHS * self.steps_per_epoch;
        Ok(match self.variant {
            Variant::Sgd => {
                let until = Schedule::multi_step(1.0, &[whitened], 0.0)?;
                let steps = self.steps as f64;
                let decay = move |step: u64| 0.95f64.powi(5) * ((step + 1) as f64 / steps).powi(3);
                vec![
                    ("whitening_rate", self.rate()?.times(until)),
                    ("alpha", Schedule::lambda(1.0, move |step| 1.0 - decay(step))?),
                ]
            }
            Variant::Muon => {
                vec![("whitening_rate", Schedule::linear(self.of_mean(0.053), 1.0, 0.0, whitened)?)]
            }
        })
    }

    /// Appends the optimizers. The graph has the scalars by their names.
    pub fn minimize(&self, g: &mut Graph, loss: Value, rate: Value) -> Result<()> {
        let whitening = named(g, "whitening_rate")?;
        let nesterov = |rate: Value| Sgd::new(rate).momentum(MOMENTUM).nesterov(true).freeze(is_fixed);
        match self.variant {
            Variant::Sgd => {
                // Biases learn faster, and decay as much.
                const FASTER: f64 = 64.0;
                let ((first, decay), faster) = (self.sgd(), times(g, rate, FASTER)?);
                nesterov(rate)
                    .weight_decay(decay / first)
                    .group(is_whitening_bias, |group| group.rate(whitening))
                    .group(is_norm_bias, |group| group.rate(faster).weight_decay(decay / (FASTER * first)))
                    .minimize(g, loss)?;
                let alpha = named(g, "alpha")?;
                Lookahead::new(alpha).every(LOOKAHEAD as u32).running_statistics(true).apply(g)
            }
            Variant::Muon => {
                let [bias, head] = [0.053, 0.67].map(|rate| self.of_mean(rate));
                let decay = 2e-6 * self.batch as f64;
                // Both fall as the filters' rate.
                let [bias_rate, head_rate] = [times(g, rate, bias / 0.24)?, times(g, rate, head / 0.24)?];
                let gradients = g.backward(loss)?;
                Muon::new(rate)
                    .momentum(0.6)
                    .weight_decay(0.0)
                    .ns_steps(3)
                    .adjust_rate(RateAdjustment::None)
                    .normalize_weights(true)
                    .only(is_filter)
                    .apply(g, &gradients)?;
                nesterov(bias_rate)
                    .freeze(is_filter)
                    .weight_decay(decay / bias)
                    .group(is_whitening_bias, |group| group.rate(whitening))
                    .group(
                        |name| name == "head.weight",
                        |group| group.rate(head_rate).weight_decay(decay / head),
                    )
                    .apply(g, &gradients)
            }
        }
    }
}

fn named(g: &Graph, name: &str) -> Result<Value> {
    g.find(name).ok_or_else(|| Error::Graph(format!("the graph has no input \"{name}\"")))
}
