//! Training steps of whole networks: the trainer's network, called the seed network, and residual ones.

#![allow(unreachable_pub, reason = "modules of a program share what they need")]

#[path = "../../examples/networks/digits.rs"]
mod digits;
#[path = "../../examples/networks/training.rs"]
mod step;

pub use step::{Training, training_of};
use wgrad::Error;
use wgrad::nn;
use wgrad::nn::models::ResNet;

/// The seed network: MNIST images to ten logits.
pub fn network() -> nn::Sequential {
    digits::digits([28, 28], 10, None)
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
