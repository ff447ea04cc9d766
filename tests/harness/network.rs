//! Training steps of whole networks: the trainer's network, called the seed network, and residual ones.

#![allow(unreachable_pub, reason = "modules of a program share what they need")]

#[path = "../../examples/networks/training.rs"]
mod step;

pub use step::{Training, training_of};
use wgrad::Error;
use wgrad::nn;
use wgrad::nn::models::ResNet;

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

/// A training step of the seed network.
pub fn training(batch: usize) -> Result<Training, Error> {
    training_of(&network(), [batch, 1, 28, 28])
}

/// A training step of ResNet-18 on square colour images. Its first stage has `width` channels.
pub fn residual_training(batch: usize, size: usize, width: usize, classes: usize) -> Result<Training, Error> {
    let network = ResNet::basic([2, 2, 2, 2]).width(width).build(3, classes);
    training_of(&network, [batch, 3, size, size])
}
