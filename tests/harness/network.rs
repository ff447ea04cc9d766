//! Training steps of whole networks: the trainer's network, called the seed network, and residual ones.

#![allow(unreachable_pub, reason = "modules of a program share what they need")]

use wgrad::nn::models::ResNet;
use wgrad::nn::{self, Layer};
use wgrad::{Error, Graph, Mode, Value, optim};

/// Two convolutions with batch norm and pooling, two linear layers: MNIST images to ten logits.
pub fn network() -> nn::Sequential {
    nn::Sequential::new()
        .add("conv1", nn::Conv2d::new(1, 8, [3, 3]).padding([1, 1]))
        .add("bn1", nn::BatchNorm::new(8))
        .add("relu1", nn::Relu)
        .add("pool1", nn::MaxPool2d::new([2, 2]))
        .add("conv2", nn::Conv2d::new(8, 32, [5, 5]).padding([2, 2]))
        .add("bn2", nn::BatchNorm::new(32))
        .add("relu2", nn::Relu)
        .add("pool2", nn::MaxPool2d::new([2, 2]))
        .add("flatten", nn::Flatten)
        .add("fc1", nn::Linear::new(1568, 600))
        .add("relu3", nn::Relu)
        .add("fc2", nn::Linear::new(600, 10))
}

/// A training step with SGD and momentum 0.9.
pub struct Training {
    pub graph: Graph,
    pub images: Value,
    pub labels: Value,
    pub rate: Value,
    pub loss: Value,
}

/// Of the seed network.
pub fn training(batch: usize) -> Result<Training, Error> {
    training_of(&network(), [batch, 1, 28, 28])
}

/// Of ResNet-18 on square colour images. Its first stage has `width` channels.
pub fn residual_training(batch: usize, size: usize, width: usize, classes: usize) -> Result<Training, Error> {
    let network = ResNet::basic([2, 2, 2, 2]).width(width).build(3, classes);
    training_of(&network, [batch, 3, size, size])
}

/// Of any network from images of this shape to logits, of images or of pixels.
pub fn training_of(network: &dyn Layer, images: [usize; 4]) -> Result<Training, Error> {
    let mut graph = Graph::new();
    let images = graph.input("images", images)?;
    let logits = network.forward(&mut graph, images, Mode::Train)?;
    let mut labelled = graph.shape(logits)?.to_vec();
    labelled.remove(1);
    let labels = graph.input_i32("labels", labelled)?;
    let loss = graph.cross_entropy(logits, labels)?;
    let rate = graph.input_scalar("learning_rate")?;
    optim::Sgd::new(rate).momentum(0.9).minimize(&mut graph, loss)?;
    Ok(Training { graph, images, labels, rate, loss })
}
