//! The network that the native trainer has too, under the same names, and its graphs: a training step, a look at every
//! layer, and an estimate over dropout masks.

use wgrad::nn::{self, Layer, Sequential};
use wgrad::ops::losses::CrossEntropyOptions;
use wgrad::optim::{Adam, AdamW, Sgd};
use wgrad::{Graph, Mode, MonteCarlo, Result, Value};

/// Height and width of an image.
pub const SIDE: usize = 28;
pub const CLASSES: usize = 10;

#[derive(Clone, Copy)]
pub enum Optimizer {
    Sgd,
    Nesterov,
    Adam,
    AdamW,
}

impl Optimizer {
    pub fn of(name: &str) -> Option<Optimizer> {
        Some(match name {
            "sgd" => Optimizer::Sgd,
            "nesterov" => Optimizer::Nesterov,
            "adam" => Optimizer::Adam,
            "adamw" => Optimizer::AdamW,
            _ => return None,
        })
    }

    fn minimize(self, g: &mut Graph, loss: Value, rate: Value) -> Result<()> {
        match self {
            Optimizer::Sgd => Sgd::new(rate).momentum(0.9).minimize(g, loss),
            Optimizer::Nesterov => Sgd::new(rate).momentum(0.9).nesterov(true).minimize(g, loss),
            Optimizer::Adam => Adam::new(rate).minimize(g, loss),
            Optimizer::AdamW => AdamW::new(rate).minimize(g, loss),
        }
    }
}

/// Two convolutions with batch norm and pooling, then two linear layers.
pub struct Network {
    first: Sequential,
    second: Sequential,
    hidden: Sequential,
    head: Sequential,
}

/// The outputs of the parts.
pub struct Outputs {
    pub first: Value,
    pub second: Value,
    pub hidden: Value,
    pub logits: Value,
}

/// Inputs and loss of a training step.
pub struct Training {
    pub pixels: Value,
    pub labels: Value,
    pub rate: Value,
    pub loss: Value,
}

/// The input and the outputs of the layers, probabilities last.
pub struct Looked {
    pub pixels: Value,
    pub outputs: [Value; 4],
}

pub struct Spread {
    pub pixels: Value,
    pub estimate: MonteCarlo,
}

/// An input of bytes.
pub fn pixels(g: &mut Graph, batch: usize) -> Result<Value> {
    g.input_u8("pixels", [batch, 1, SIDE, SIDE])
}

impl Network {
    pub fn new(dropout: f64, seed: u64) -> Network {
        let part = |name: &str, inputs, results, window, padding| {
            Sequential::new()
                .add(
                    format!("conv{name}"),
                    nn::Conv2d::new(inputs, results, [window; 2]).padding([padding; 2]),
                )
                .add(format!("bn{name}"), nn::BatchNorm::new(results))
                .add(format!("relu{name}"), nn::Relu)
                .add(format!("pool{name}"), nn::MaxPool2d::new([2, 2]))
        };
        let hidden = Sequential::new()
            .add("flatten", nn::Flatten)
            .add("fc1", nn::Linear::new(32 * 7 * 7, 600))
            .add("relu3", nn::Relu);
        let head = Sequential::new()
            .add("dropout", nn::Dropout::new(dropout).seed(seed))
            .add("fc2", nn::Linear::new(600, CLASSES));
        Network { first: part("1", 1, 8, 3, 1), second: part("2", 8, 32, 5, 2), hidden, head }
    }

    pub fn forward(&self, g: &mut Graph, pixels: Value, mode: Mode) -> Result<Outputs> {
        let images = g.bytes_to_float(pixels)?;
        let first = self.first.forward(g, images, mode)?;
        let second = self.second.forward(g, first, mode)?;
        let hidden = self.hidden.forward(g, second, mode)?;
        let logits = self.head.forward(g, hidden, mode)?;
        Ok(Outputs { first, second, hidden, logits })
    }

    pub fn training(&self, batch: usize, optimizer: Optimizer, smoothing: f32) -> Result<(Graph, Training)> {
        let mut g = Graph::new();
        let pixels = pixels(&mut g, batch)?;
        let labels = g.input_i32("labels", [batch])?;
        let rate = g.input_scalar("learning_rate")?;
        let logits = self.forward(&mut g, pixels, Mode::Train)?.logits;
        let options = CrossEntropyOptions::new().label_smoothing(smoothing);
        let loss = g.cross_entropy_with(logits, labels, options)?;
        optimizer.minimize(&mut g, loss, rate)?;
        Ok((g, Training { pixels, labels, rate, loss }))
    }

    pub fn look(&self) -> Result<(Graph, Looked)> {
        let mut g = Graph::new();
        let pixels = pixels(&mut g, 1)?;
        let Outputs { first, second, hidden, logits } = self.forward(&mut g, pixels, Mode::Eval)?;
        let probabilities = g.softmax(logits, 1)?;
        Ok((g, Looked { pixels, outputs: [first, second, hidden, probabilities] }))
    }

    pub fn spread(&self) -> Result<(Graph, Spread)> {
        let mut g = Graph::new();
        let pixels = pixels(&mut g, 1)?;
        let logits = self.forward(&mut g, pixels, Mode::MonteCarlo)?.logits;
        let probabilities = g.softmax(logits, 1)?;
        let estimate = g.monte_carlo(&[probabilities])?;
        Ok((g, Spread { pixels, estimate }))
    }
}
