//! A training step of any network. Examples, tests and benches share it; the networks are elsewhere.

#![allow(unreachable_pub, reason = "modules of a program share what they need")]
#![allow(dead_code, reason = "each program reads its part")]

use wgrad::nn::Layer;
use wgrad::{Error, Graph, Mode, Value, optim};

/// A training step with SGD and momentum 0.9.
pub struct Training {
    pub graph: Graph,
    pub images: Value,
    pub labels: Value,
    pub rate: Value,
    pub loss: Value,
}

impl Training {
    /// As [`training_of`], with the loss scaled, for plans of mixed precision.
    pub fn scaled(
        network: &dyn Layer,
        images: [usize; 4],
        scale: optim::LossScale,
    ) -> Result<Training, Error> {
        Training::by(network, images, |sgd| sgd.loss_scale(scale))
    }

    fn by(
        network: &dyn Layer,
        images: [usize; 4],
        set: impl FnOnce(optim::Sgd) -> optim::Sgd,
    ) -> Result<Training, Error> {
        let mut graph = Graph::new();
        let images = graph.input("images", images)?;
        let logits = network.forward(&mut graph, images, Mode::Train)?;
        let mut labelled = graph.shape(logits)?.to_vec();
        labelled.remove(1);
        let labels = graph.input_i32("labels", labelled)?;
        let loss = graph.cross_entropy(logits, labels)?;
        let rate = graph.input_scalar("learning_rate")?;
        set(optim::Sgd::new(rate).momentum(0.9)).minimize(&mut graph, loss)?;
        Ok(Training { graph, images, labels, rate, loss })
    }
}

/// A training step of a network from images of this shape to logits. Labels are of images, or of pixels if the logits are.
pub fn training_of(network: &dyn Layer, images: [usize; 4]) -> Result<Training, Error> {
    Training::by(network, images, |sgd| sgd)
}
