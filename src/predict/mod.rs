//! Predictions with a trained network: any number of items, from any number of threads.
//!
//! Planned graphs have a fixed batch size, so a predictor has sessions for a few, which share weights and compiled
//! kernels. `options.rs` sets it up; `network.rs` makes the graph of a batch size, `rung.rs` its session; `ladder.rs`
//! divides items among batch sizes; `queue.rs` is what waits, `worker.rs` the thread that runs it; `items.rs` are items,
//! `classes.rs` what is made of outputs. What a data set predicts in a run is [`Trainer::predict`](crate::train::Trainer::predict).

mod classes;
mod items;
mod ladder;
mod network;
mod options;
mod queue;
mod rung;
mod worker;

pub use classes::Class;
pub use options::PredictorOptions;
pub use queue::Counters;

use crate::device::Device;
use crate::error::Result;
use crate::promise::Promise;
use crate::session::Estimate;
use crate::tensor::{HostSlice, HostTensor, Shape};
use crate::weights::Metadata;
use items::Items;
use queue::{Reply, Request, Shared};
use rung::{Answer, Kind};
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Instant;

/// A network that answers: any number of items at a time, from any number of threads. Cheap to clone.
///
/// ```no_run
/// # fn main() -> wgrad::Result<()> {
/// use wgrad::{Device, predict::Predictor};
///
/// // The file has weights, and says which network they are of, its class names, normalisation and input size.
/// let predictor = Predictor::load(&Device::open()?, "pets.safetensors")?;
/// # let pixels = vec![0u8; 5 * 3 * 224 * 224];
/// // Bytes of [5, 3, 224, 224].
/// for (i, classes) in predictor.classify(&pixels, 3)?.iter().enumerate() {
///     println!("picture {i}: {} ({:.1} %)", classes[0].name, 100.0 * classes[0].probability);
/// }
/// # Ok(())
/// # }
/// ```
///
/// Items are rows one after the other: bytes, or floats by [`PredictorOptions::floats`]. Each is predicted as if it were
/// alone, up to rounding, as long as the network's layers look at one item at a time; all of this crate do when they
/// evaluate.
///
/// A thread of its own runs the batches, and waits for the device, also where that is an app's
/// ([`Device::from_wgpu`](crate::Device::from_wgpu)). It ends when the last clone is dropped,
/// which waits for a session that is being opened.
#[derive(Clone)]
pub struct Predictor {
    /// Shape of the outputs of one item.
    output: Shape,
    handle: Arc<Handle>,
}

/// Ends the worker when the last predictor is gone.
struct Handle {
    shared: Arc<Shared>,
    worker: Option<JoinHandle<()>>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.close();
        // A future's waker may drop the last handle on the worker itself.
        let is_other = |worker: &JoinHandle<()>| worker.thread().id() != std::thread::current().id();
        // A worker that panicked has dropped what was asked of it, which its callers see.
        let _ = self.worker.take().filter(is_other).map(JoinHandle::join);
    }
}

impl Predictor {
    /// Starts a predictor with a file of weights that says which network they are of
    /// ([`Metadata::network`]). [`PredictorOptions::load`] takes files that say less.
    ///
    /// # Errors
    /// As [`PredictorOptions::load`].
    pub fn load(device: &Device, path: impl AsRef<Path>) -> Result<Predictor> {
        PredictorOptions::new().load(device, path)
    }

    /// The device that runs the batches.
    pub fn device(&self) -> &Device {
        &self.handle.shared.loaded.device
    }

    /// What the file says: class names, normalisation, notes.
    pub fn metadata(&self) -> &Metadata {
        &self.handle.shared.loaded.network.metadata
    }

    /// Shape of one item, without the batch.
    pub fn input_shape(&self) -> &Shape {
        &self.handle.shared.loaded.network.item
    }

    /// Shape of the network's outputs for one item, without the batch.
    pub fn output_shape(&self) -> &Shape {
        &self.output
    }

    /// The batch sizes that there are sessions for by now.
    pub fn open_batch_sizes(&self) -> Vec<usize> {
        self.handle.shared.open_sizes(Kind::Outputs)
    }

    /// Opens sessions for all batch sizes, and returns when they are there. From then on equal requests have equal bits,
    /// unless they share batches.
    ///
    /// # Errors
    /// Not enough device memory, and others of a session.
    pub fn open_all(&self) -> Result<()> {
        let shared = &self.handle.shared;
        shared.sizes.iter().try_for_each(|&batch| shared.open(Kind::Outputs, batch))
    }

    /// Fails if there are no answers any more.
    ///
    /// # Errors
    /// A lost device; a thread that a panic of a layer has ended.
    pub fn check(&self) -> Result<()> {
        self.device().check()?;
        self.handle.shared.check()
    }

    /// What was done so far.
    pub fn counters(&self) -> Counters {
        self.handle.shared.counters()
    }

    /// The network's outputs for `items`: a tensor whose first dimension is the items.
    ///
    /// # Errors
    /// Data of another type, or of no whole number of items; a full queue; not enough memory; a fault of the device.
    pub fn predict<'a>(&self, items: impl Into<HostSlice<'a>>) -> Result<HostTensor> {
        pollster::block_on(self.predict_async(items))
    }

    /// [`Predictor::predict`] without blocking, in any executor.
    ///
    /// # Errors
    /// As [`Predictor::predict`].
    pub async fn predict_async<'a>(&self, items: impl Into<HostSlice<'a>>) -> Result<HostTensor> {
        let (count, Answer { values, .. }) = self.ask(items.into(), Kind::Outputs, 1)?.answer().await?;
        self.rows(count, values)
    }

    /// The probabilities of the classes, \[items, classes]: the softmax of the network's logits.
    ///
    /// # Errors
    /// As [`Predictor::predict`]; outputs other than logits \[n, classes].
    pub fn probabilities<'a>(&self, items: impl Into<HostSlice<'a>>) -> Result<HostTensor> {
        pollster::block_on(self.probabilities_async(items))
    }

    /// [`Predictor::probabilities`] without blocking, in any executor.
    ///
    /// # Errors
    /// As [`Predictor::probabilities`].
    pub async fn probabilities_async<'a>(&self, items: impl Into<HostSlice<'a>>) -> Result<HostTensor> {
        classes::probabilities(self.predict_async(items).await?)
    }

    /// The `top` most probable classes of each item, the most probable first.
    ///
    /// # Errors
    /// As [`Predictor::probabilities`].
    pub fn classify<'a>(&self, items: impl Into<HostSlice<'a>>, top: usize) -> Result<Vec<Vec<Class>>> {
        pollster::block_on(self.classify_async(items, top))
    }

    /// [`Predictor::classify`] without blocking, in any executor.
    ///
    /// # Errors
    /// As [`Predictor::classify`].
    pub async fn classify_async<'a>(
        &self,
        items: impl Into<HostSlice<'a>>,
        top: usize,
    ) -> Result<Vec<Vec<Class>>> {
        Ok(self.most_probable(&self.probabilities_async(items).await?, top))
    }

    /// The `top` most probable classes of each row of probabilities \[n, classes], such as the means of
    /// [`Predictor::spread`].
    pub fn most_probable(&self, probabilities: &HostTensor, top: usize) -> Vec<Vec<Class>> {
        classes::most_probable(probabilities, &self.metadata().class_names, top)
    }

    /// Mean and variance of the class probabilities over `samples` draws of the network's dropout, each \[items,
    /// classes], as [`Graph::monte_carlo`](crate::Graph::monte_carlo) estimates them. The draws are the same for every
    /// call. The first call opens a session, which later requests wait for.
    ///
    /// # Errors
    /// As [`Predictor::probabilities`] and [`Session::monte_carlo`](crate::Session::monte_carlo).
    pub fn spread<'a>(&self, items: impl Into<HostSlice<'a>>, samples: usize) -> Result<Estimate> {
        pollster::block_on(self.spread_async(items, samples))
    }

    /// [`Predictor::spread`] without blocking, in any executor.
    ///
    /// # Errors
    /// As [`Predictor::spread`].
    pub async fn spread_async<'a>(
        &self,
        items: impl Into<HostSlice<'a>>,
        samples: usize,
    ) -> Result<Estimate> {
        let (count, answer) = self.ask(items.into(), Kind::Spread, samples)?.answer().await?;
        let [mean, variance] = [answer.values, answer.variances].map(|values| self.rows(count, values));
        Ok(Estimate { mean: mean?, variance: variance? })
    }

    fn rows(&self, count: usize, values: Vec<f32>) -> Result<HostTensor> {
        HostTensor::f32(Shape::from([&[count], &self.output[..]].concat()), values)
    }

    /// Hands items to the worker.
    fn ask(&self, items: HostSlice<'_>, kind: Kind, samples: usize) -> Result<Asked> {
        let shared = &self.handle.shared;
        let count = shared.loaded.network.items(items.len(), items.dtype())?;
        let answer = Promise::new();
        let wanted = Arc::new(());
        shared.ask(Request {
            items: Items::copied(items)?,
            count,
            kind,
            samples,
            since: Instant::now(),
            wanted: Arc::downgrade(&wanted),
            reply: Reply(Arc::clone(&answer)),
        })?;
        Ok(Asked { count, answer, wanted, handle: Arc::clone(&self.handle) })
    }
}

/// A request that the worker has.
struct Asked {
    count: usize,
    answer: Arc<Promise<Result<Answer>>>,
    /// The worker leaves the request out if this is gone.
    wanted: Arc<()>,
    /// Keeps the worker.
    handle: Arc<Handle>,
}

impl Asked {
    async fn answer(self) -> Result<(usize, Answer)> {
        let answer = self.answer.taken().await;
        drop((self.wanted, self.handle));
        Ok((self.count, answer?))
    }
}

impl std::fmt::Debug for Predictor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Predictor")
            .field("input", self.input_shape())
            .field("output", &self.output)
            .field("open_batch_sizes", &self.open_batch_sizes())
            .finish_non_exhaustive()
    }
}
