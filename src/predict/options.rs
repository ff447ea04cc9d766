//! How a predictor is set up, and its start: from a file, or from weights in memory.

use super::network::{Batched, Loaded, Network};
use super::queue::Shared;
use super::rung::Kind;
use super::worker;
use super::{Handle, Predictor};
use crate::device::Device;
use crate::error::{Error, Result};
use crate::graph::Mode;
use crate::nn::Layer;
use crate::plan::PlanOptions;
use crate::tensor::{DType, Shape};
use crate::weights::{LoadOptions, Metadata, Weights};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// The largest batch.
const LARGEST: usize = 1 << 16;

/// Options of a [`Predictor`].
///
/// ```no_run
/// # fn main() -> wgrad::Result<()> {
/// use std::time::Duration;
/// use wgrad::predict::PredictorOptions;
/// use wgrad::{Device, nn::models};
///
/// let predictor = PredictorOptions::new()
///     .network(models::resnet18(3, 10)) // unless the file names it
///     .input_shape([3, 224, 224])
///     .batch_sizes([1, 8, 32])
///     .batching(Duration::from_millis(2)) // requests of several threads share batches
///     .load(&Device::open()?, "pets.safetensors")?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "options do nothing until a predictor is made with them"]
pub struct PredictorOptions {
    network: Option<Arc<dyn Layer>>,
    input_shape: Option<Shape>,
    floats: bool,
    batch_sizes: Vec<usize>,
    batching: Option<Duration>,
    longest_queue: usize,
    plan: PlanOptions,
    load: LoadOptions,
}

impl Default for PredictorOptions {
    fn default() -> Self {
        PredictorOptions {
            network: None,
            input_shape: None,
            floats: false,
            batch_sizes: vec![1, 4, 16, 64],
            batching: None,
            longest_queue: 1024,
            plan: PlanOptions::default(),
            load: LoadOptions::new(),
        }
    }
}

impl PredictorOptions {
    /// The defaults.
    pub fn new() -> Self {
        PredictorOptions::default()
    }

    /// Sets the network. Without it the file has to name one, in [`Metadata::network`].
    pub fn network(mut self, network: impl Layer + 'static) -> Self {
        self.network = Some(Arc::new(network));
        self
    }

    /// Sets the shape of one item, without the batch. By default it is [`Metadata::input_shape`].
    pub fn input_shape(mut self, shape: impl Into<Shape>) -> Self {
        self.input_shape = Some(shape.into());
        self
    }

    /// Has items be f32, as the network takes them. By default they are bytes, such as pixels, which the device makes
    /// floats of: (byte / 255 - mean) / deviation for each channel, with [`Metadata::mean`] and
    /// [`Metadata::deviation`], or byte / 255 without them.
    pub fn floats(mut self) -> Self {
        self.floats = true;
        self
    }

    /// Sets the batch sizes that there are sessions for: 1, 4, 16 and 64 by default. Each takes memory for the
    /// network's activations. Other numbers of items are cut into such batches, and the last one is padded.
    ///
    /// The smallest is opened at the start. Another one is opened by a thread of its own when it would have been better
    /// for a request, which meanwhile the open ones answer; [`Predictor::open_all`] opens all of them. Results
    /// differ by rounding between batch sizes, because kernels differ.
    pub fn batch_sizes(mut self, sizes: impl IntoIterator<Item = usize>) -> Self {
        self.batch_sizes = sizes.into_iter().collect();
        self
    }

    /// Lets requests of several threads share batches: one waits up to `limit` for others, until the largest batch is
    /// full. With a limit of zero it shares with those that came while the device was busy. By default each request runs
    /// by itself, and its result does not depend on others.
    pub fn batching(mut self, limit: Duration) -> Self {
        self.batching = Some(limit);
        self
    }

    /// Sets how many items may wait, 1024 by default. A request beyond them fails with [`Error::Busy`]. If nothing
    /// waits, a request may have any number of items.
    pub fn longest_queue(mut self, items: usize) -> Self {
        self.longest_queue = items;
        self
    }

    /// Sets how graphs are planned, for example with tuned kernels. Where weights are loaded or copied, these are kernels
    /// of graphs whose batch norms are folded ([`FoldedGraph`](crate::weights::FoldedGraph)).
    pub fn plan(mut self, options: PlanOptions) -> Self {
        self.plan = options;
        self
    }

    /// Sets which tensors of the file are loaded, and under which names; [`LoadOptions::averages`] takes the averages
    /// that a checkpoint holds.
    pub fn load_options(mut self, options: LoadOptions) -> Self {
        self.load = options;
        self
    }

    /// Starts a predictor with a file of weights or a checkpoint.
    ///
    /// # Errors
    /// A file that can't be read or is damaged, that does not fit the network, or that does not say what the options
    /// leave open; those of planning and of a session.
    pub fn load(&self, device: &Device, path: impl AsRef<Path>) -> Result<Predictor> {
        let path = path.as_ref();
        let metadata = Metadata::read(path)?;
        let layer = match &self.network {
            Some(layer) => Arc::clone(layer),
            None => Network::named(path, &metadata)?,
        };
        let network = self.with(layer, metadata.clone())?;
        let weights = Weights::init(device, &network.graph(1, Mode::Eval)?.graph, 0)?;
        weights.load_with(path, &self.load)?;
        weights.set_metadata(metadata)?;
        self.start_copy(device, network, &weights)
    }

    /// Starts a predictor with a copy of weights that are on the device: what a training session changes later is not
    /// predicted with. Their [metadata](Weights::metadata) holds as a file's does.
    ///
    /// # Errors
    /// As [`PredictorOptions::load`].
    pub fn copy(&self, device: &Device, weights: &Weights) -> Result<Predictor> {
        self.start_copy(device, self.in_memory(weights)?, weights)
    }

    /// Starts a predictor with weights that are on the device, and shares them: what a training session changes is
    /// predicted with. Batch norms stay as they are, so that answers take longer than with [`PredictorOptions::copy`].
    ///
    /// # Errors
    /// As [`PredictorOptions::load`].
    pub fn share(&self, device: &Device, weights: &Weights) -> Result<Predictor> {
        self.start(device, self.in_memory(weights)?, weights.clone(), false)
    }

    fn in_memory(&self, weights: &Weights) -> Result<Network> {
        match &self.network {
            Some(layer) => self.with(Arc::clone(layer), weights.metadata()),
            None => setting("network", "weights in memory need PredictorOptions::network".into()),
        }
    }

    fn start_copy(&self, device: &Device, network: Network, weights: &Weights) -> Result<Predictor> {
        weights.check_device(device)?;
        let weights = network.folded(weights, self.sizes()?.0)?;
        self.start(device, network, weights, true)
    }

    fn with(&self, layer: Arc<dyn Layer>, metadata: Metadata) -> Result<Network> {
        let Some(item) = self.input_shape.clone().or_else(|| metadata.input_shape.clone()) else {
            let message = "the file has none; give it by PredictorOptions::input_shape";
            return setting("input_shape", message.into());
        };
        if item.elements() == 0 {
            return setting("input_shape", format!("found {item}, expected at least one element"));
        }
        let dtype = if self.floats { DType::F32 } else { DType::U8 };
        Ok(Network { layer, metadata, item, dtype })
    }

    /// The smallest batch size, and all of them in order.
    fn sizes(&self) -> Result<(usize, Vec<usize>)> {
        let mut sizes = self.batch_sizes.clone();
        sizes.sort_unstable();
        sizes.dedup();
        match (sizes.first(), sizes.last()) {
            (Some(&smallest @ 1..), Some(..=LARGEST)) => Ok((smallest, sizes)),
            _ => {
                let found = &self.batch_sizes;
                setting("batch_sizes", format!("found {found:?}, expected sizes from 1 to {LARGEST}"))
            }
        }
    }

    fn start(&self, device: &Device, network: Network, weights: Weights, folded: bool) -> Result<Predictor> {
        let (smallest, sizes) = self.sizes()?;
        let Batched { graph, output, .. } = network.graph(smallest, Mode::Eval)?;
        let output = Shape::from(&graph.shape(output)?[1..]);
        let names = network.metadata.class_names.len();
        if names > 0 && output.len() == 1 && output[0] != names {
            let message = format!("found {names}, and the network tells {} classes", output[0]);
            return setting("class_names", message);
        }
        let loaded = Loaded { network, device: device.clone(), weights, folded, plan: self.plan.clone() };
        let shared = Arc::new(Shared::new(loaded, sizes, self.batching, self.longest_queue));
        shared.open(Kind::Outputs, smallest)?;
        let worker = worker::start(&shared)
            .map_err(|e| Error::Predictor(format!("its thread can't be started: {e}")))?;
        Ok(Predictor { output, handle: Arc::new(Handle { shared, worker: Some(worker) }) })
    }
}

fn setting<T>(setting: &'static str, message: String) -> Result<T> {
    Err(Error::Setting { setting, message })
}
