//! The network, and the graphs of a training step and of an evaluation step.

use crate::cli::{Optimizer, Options};
use wgrad::data::Images;
use wgrad::nn::{self, Layer};
use wgrad::{Graph, Mode, Result, Value, optim};

/// Units of the hidden layer.
const HIDDEN: usize = 600;
/// Channels after each convolution.
const CHANNELS: [usize; 2] = [8, 32];
const MOMENTUM: f64 = 0.9;

/// Two convolutions with batch norm and pooling, then two linear layers.
pub fn network(options: &Options, data: &Images) -> nn::Sequential {
    let [first, second] = CHANNELS;
    // Each pooling halves height and width, rounded down.
    let flat = second * (data.rows() / 4) * (data.columns() / 4);
    let mut net = nn::Sequential::new()
        .add("conv1", nn::Conv2d::new(1, first, [3, 3]).padding([1, 1]))
        .add("bn1", nn::BatchNorm::new(first))
        .add("relu1", nn::Relu)
        .add("pool1", nn::MaxPool2d::new([2, 2]))
        .add("conv2", nn::Conv2d::new(first, second, [5, 5]).padding([2, 2]))
        .add("bn2", nn::BatchNorm::new(second))
        .add("relu2", nn::Relu)
        .add("pool2", nn::MaxPool2d::new([2, 2]))
        .add("flatten", nn::Flatten)
        .add("fc1", nn::Linear::new(flat, HIDDEN))
        .add("relu3", nn::Relu);
    if options.dropout > 0.0 {
        net = net.add("dropout", nn::Dropout::new(options.dropout).seed(options.seed));
    }
    net.add("fc2", nn::Linear::new(HIDDEN, data.classes()))
}

/// A graph and the values that the trainer reads and writes.
pub struct Step {
    pub graph: Graph,
    pub images: Value,
    pub labels: Value,
    /// Correct predictions in the batch.
    pub correct: Value,
}

/// A training step: what it has in addition.
pub struct Training {
    pub step: Step,
    pub loss: Value,
    pub learning_rate: Value,
}

/// Forward, loss, backward and the optimizer's update.
pub fn training(options: &Options, net: &nn::Sequential, data: &Images) -> Result<Training> {
    let (mut step, logits) = forward(options, net, data, Mode::Train)?;
    let g = &mut step.graph;
    let loss = g.cross_entropy(logits, step.labels)?;
    let learning_rate = g.input_scalar("learning_rate")?;
    match options.optimizer {
        Optimizer::Sgd => optim::Sgd::new(learning_rate).momentum(MOMENTUM).minimize(g, loss)?,
        Optimizer::Adam => optim::Adam::new(learning_rate).minimize(g, loss)?,
        Optimizer::AdamW => optim::AdamW::new(learning_rate).minimize(g, loss)?,
    };
    Ok(Training { step, loss, learning_rate })
}

/// Forward with running statistics and without dropout.
pub fn evaluation(options: &Options, net: &nn::Sequential, data: &Images) -> Result<Step> {
    forward(options, net, data, Mode::Eval).map(|(step, _)| step)
}

fn forward(options: &Options, net: &nn::Sequential, data: &Images, mode: Mode) -> Result<(Step, Value)> {
    let mut graph = Graph::new();
    let images = graph.input("images", [options.batch_size, 1, data.rows(), data.columns()])?;
    let labels = graph.input_i32("labels", options.batch_size)?;
    let logits = net.forward(&mut graph, images, mode)?;
    let correct = graph.correct_predictions(logits, labels)?;
    Ok((Step { graph, images, labels, correct }, logits))
}
