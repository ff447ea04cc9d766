//! The step: the network with its gradients, its first weights, and the batch.

use crate::program::Outcome;
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use std::path::Path;
use wgrad::nn::{Layer, models};
use wgrad::{Device, Graph, HostData, HostSlice, HostTensor, Mode, Result, Value, Weights};

/// Images, channels, rows and columns.
pub(crate) const SHAPE: [usize; 4] = [4, 3, 224, 224];
const CLASSES: usize = 1000;
/// The seed of the weights and of the batch.
const SEED: u64 = 0;

pub(crate) struct Network {
    pub(crate) graph: Graph,
    pub(crate) images: Value,
    pub(crate) labels: Value,
    pub(crate) loss: Value,
    /// The gradient of each parameter, by the parameter's name.
    pub(crate) gradients: Vec<(String, Value)>,
}

impl Network {
    pub(crate) fn new() -> Result<Network> {
        let mut graph = Graph::new();
        let images = graph.input("images", SHAPE)?;
        let labels = graph.input_i32("labels", [SHAPE[0]])?;
        let logits = models::resnet50(SHAPE[1], CLASSES).forward(&mut graph, images, Mode::Train)?;
        let loss = graph.cross_entropy(logits, labels)?;
        let gradients = graph.backward(loss)?;
        let name = |value| Ok(graph.value(value)?.name.clone());
        let gradients = gradients
            .into_iter()
            .map(|(parameter, gradient)| Ok((name(parameter)?, gradient)))
            .collect::<Result<_>>()?;
        Ok(Network { graph, images, labels, loss, gradients })
    }

    /// The loss and all gradients: a plan computes what its outputs need, and nothing else.
    pub(crate) fn outputs(&self) -> Vec<Value> {
        std::iter::once(self.loss).chain(self.gradients.iter().map(|(_, gradient)| *gradient)).collect()
    }

    /// The weights before the first step.
    pub(crate) fn weights(&self, device: &Device) -> Result<Weights> {
        Weights::init(device, &self.graph, SEED)
    }
}

/// Random images and labels.
pub(crate) struct Batch {
    pub(crate) images: HostTensor,
    pub(crate) labels: HostTensor,
}

impl Batch {
    /// Pixels from -1 to 1 and labels of all classes, each as likely.
    pub(crate) fn random() -> Result<Batch> {
        let mut random = ChaCha8Rng::seed_from_u64(SEED);
        let pixels = (0..SHAPE.iter().product()).map(|_| 2.0 * random.random::<f32>() - 1.0).collect();
        let labels = (0..SHAPE[0]).map(|_| random.random_range(0..CLASSES as i32)).collect();
        Ok(Batch { images: HostTensor::f32(SHAPE, pixels)?, labels: HostTensor::i32([SHAPE[0]], labels)? })
    }
}

/// Writes weights and batch as one safetensors file.
pub(crate) fn save(path: &Path, weights: &Weights, batch: &Batch) -> Outcome<()> {
    let weights = weights.to_bytes()?;
    let mut tensors = SafeTensors::deserialize(&weights)?.tensors();
    for (name, tensor) in [("images", &batch.images), ("labels", &batch.labels)] {
        let dtype = if matches!(tensor.data, HostData::I32(_)) { Dtype::I32 } else { Dtype::F32 };
        let bytes = HostSlice::from(tensor).bytes();
        tensors.push((name.to_owned(), TensorView::new(dtype, tensor.shape.to_vec(), bytes)?));
    }
    wgrad::file::write_whole(path, &safetensors::serialize(tensors, None)?)?;
    Ok(())
}
