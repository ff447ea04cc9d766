//! What the page asks of wgrad, called from its worker: a network that learns MNIST's digits step by step, and looks
//! into it. `network.rs` has the network and its graphs. The page itself is in `page/`.

mod network;

use network::{Looked, Network, Optimizer, Spread, Training};
use std::collections::BTreeMap;
use wasm_bindgen::prelude::*;
use wgrad::data::{Images, Order};
use wgrad::session::Verified;
use wgrad::{Device, DeviceOptions, Graph, Mode, Plan, Session, Value, Weights};

/// Test images that are read in one step.
const TOGETHER: usize = 500;
/// Bytes of an image.
const PIXELS: usize = network::SIDE * network::SIDE;
/// Losses that are kept on the device at most.
const KEPT: usize = 1024;

fn told(error: wgrad::Error) -> JsError {
    JsError::new(&error.to_string())
}

/// A device, the data, and the training that is going on.
#[wasm_bindgen]
pub struct Classroom {
    device: Device,
    train: Images,
    test: Images,
    lesson: Option<Lesson>,
}

/// A training and what looks into it. All sessions share the weights.
struct Lesson {
    weights: Weights,
    session: Session,
    training: Training,
    batch: usize,
    seed: u32,
    /// The epoch that `order` is of.
    epoch: u64,
    order: Vec<usize>,
    network: Network,
    // What looks into it is compiled when it is first asked for.
    test: Option<(Session, Value, Value)>,
    look: Option<(Session, Looked)>,
    spread: Option<(Session, Spread)>,
}

#[wasm_bindgen]
impl Classroom {
    /// Opens the adapter and takes MNIST: 28 x 28 bytes an image, a byte a label.
    pub async fn open(
        train_images: Vec<u8>,
        train_labels: Vec<u8>,
        test_images: Vec<u8>,
        test_labels: Vec<u8>,
    ) -> Result<Classroom, JsError> {
        let device = Device::open_async(&DeviceOptions::default()).await.map_err(told)?;
        let side = network::SIDE;
        let train = Images::new(train_images, train_labels, side, side, network::CLASSES).map_err(told)?;
        let test = Images::new(test_images, test_labels, side, side, network::CLASSES).map_err(told)?;
        Ok(Classroom { device, train, test, lesson: None })
    }

    /// Whether kernels run on the processor.
    pub fn software(&self) -> bool {
        self.device.summary().software
    }

    /// Begins a training from weights that follow from the seed.
    pub fn begin(
        &mut self,
        batch: usize,
        optimizer: &str,
        dropout: f64,
        smoothing: f32,
        seed: u32,
    ) -> Result<(), JsError> {
        let optimizer = Optimizer::of(optimizer).ok_or_else(|| JsError::new("no such optimizer"))?;
        let lesson = Lesson::new(&self.device, batch, optimizer, dropout, smoothing, seed).map_err(told)?;
        self.lesson = Some(lesson);
        Ok(())
    }

    /// Number of the next step.
    pub fn step(&self) -> u32 {
        self.lesson.as_ref().map_or(0, |lesson| lesson.session.step_number())
    }

    /// Runs steps, and gives the loss of each. The learning rate falls from `rate` to zero at step `last`, where the
    /// training ends; if `last` is 0 it stays, and there is no end.
    pub async fn train(&mut self, steps: usize, rate: f32, last: u32) -> Result<Vec<f32>, JsError> {
        let lesson = begun(&mut self.lesson)?;
        lesson.train(&self.train, steps.min(KEPT), rate, last).await.map_err(told)
    }

    /// Logits of the test images from `first` on, 500 at most.
    pub async fn evaluate(&mut self, first: usize) -> Result<Vec<f32>, JsError> {
        let (images, lesson) = (&self.test, begun(&mut self.lesson)?);
        let count = TOGETHER.min(images.len().saturating_sub(first));
        let mut bytes = vec![0; TOGETHER * PIXELS];
        for (i, image) in bytes.chunks_mut(PIXELS).take(count).enumerate() {
            image.copy_from_slice(images.image(first + i).unwrap_or_default());
        }
        let (session, input, logits) = lesson.test(&self.device).map_err(told)?;
        let mut logits = run(session, *input, &bytes, *logits).await.map_err(told)?;
        logits.truncate(count * network::CLASSES);
        Ok(logits)
    }

    /// Outputs of the layers for an image (28 x 28 bytes), one after the other: 8 maps of 14 x 14, 32 maps of 7 x 7, 600
    /// activations, 10 probabilities.
    pub async fn look(&mut self, image: &[u8]) -> Result<Vec<f32>, JsError> {
        let (session, looked) = begun(&mut self.lesson)?.look(&self.device).map_err(told)?;
        let look = async {
            session.write(looked.pixels, image)?;
            session.step()?;
            let mut all = Vec::new();
            for value in looked.outputs {
                all.extend_from_slice(session.read_async(value).await?.as_f32().unwrap_or_default());
            }
            Ok(all)
        };
        look.await.map_err(told)
    }

    /// Mean probabilities of an image over `masks` dropout masks, and their standard deviations.
    pub async fn spread(&mut self, image: &[u8], masks: usize) -> Result<Vec<f32>, JsError> {
        let (session, spread) = begun(&mut self.lesson)?.spread(&self.device).map_err(told)?;
        let estimate = async {
            session.write(spread.pixels, image)?;
            let estimate = session.monte_carlo_async(&spread.estimate, masks).await?.remove(0);
            let deviations = estimate.variance.to_f64().into_iter().map(|x| x.max(0.0).sqrt());
            Ok(estimate.mean.to_f64().into_iter().chain(deviations).map(|x| x as f32).collect())
        };
        estimate.await.map_err(told)
    }

    /// The filters of the first convolution, 8 of 3 x 3.
    pub async fn filters(&mut self) -> Result<Vec<f32>, JsError> {
        let filters = begun(&mut self.lesson)?.weights.read_async("conv1.weight").await.map_err(told)?;
        Ok(filters.as_f32().unwrap_or_default().to_vec())
    }

    /// Compares one step with the reference, node by node.
    pub async fn verify(&mut self, rate: f32) -> Result<String, JsError> {
        let lesson = begun(&mut self.lesson)?;
        lesson.feed(&self.train, rate, 0).map_err(told)?;
        Ok(Verified::table(&lesson.session.verify_async().await.map_err(told)?))
    }

    /// A safetensors file of the weights, with PyTorch's names.
    pub async fn weights(&mut self) -> Result<Vec<u8>, JsError> {
        begun(&mut self.lesson)?.weights.to_bytes_async().await.map_err(told)
    }

    /// Takes the weights of a safetensors file, such as the native trainer writes.
    pub fn load(&mut self, file: &[u8]) -> Result<(), JsError> {
        begun(&mut self.lesson)?.weights.load_bytes(file).map_err(told)
    }

    /// Everything that training goes on from.
    pub async fn checkpoint(&mut self) -> Result<Vec<u8>, JsError> {
        begun(&mut self.lesson)?.session.checkpoint_bytes_async(&BTreeMap::new()).await.map_err(told)
    }

    /// Goes on from a checkpoint of a training that was begun with the same settings.
    pub fn resume(&mut self, file: &[u8]) -> Result<(), JsError> {
        begun(&mut self.lesson)?.session.load_checkpoint_bytes(file).map(drop).map_err(told)
    }
}

fn begun(lesson: &mut Option<Lesson>) -> Result<&mut Lesson, JsError> {
    lesson.as_mut().ok_or_else(|| JsError::new("no training was begun"))
}

/// Runs a step on bytes and reads an output.
async fn run(session: &mut Session, input: Value, bytes: &[u8], output: Value) -> wgrad::Result<Vec<f32>> {
    session.write(input, bytes)?;
    session.step()?;
    Ok(session.read_async(output).await?.as_f32().unwrap_or_default().to_vec())
}

impl Lesson {
    fn new(
        device: &Device,
        batch: usize,
        optimizer: Optimizer,
        dropout: f64,
        smoothing: f32,
        seed: u32,
    ) -> wgrad::Result<Lesson> {
        let network = Network::new(dropout, seed.into());
        let (graph, training) = network.training(batch, optimizer, smoothing)?;
        let weights = Weights::init(device, &graph, seed.into())?;
        let mut session =
            Session::new(device, Plan::new(&graph, &[training.loss], device.caps())?, &weights)?;
        session.record(training.loss, KEPT)?;
        let (epoch, order) = (u64::MAX, Vec::new());
        let (test, look, spread) = (None, None, None);
        Ok(Lesson { weights, session, training, batch, seed, epoch, order, network, test, look, spread })
    }

    fn test(&mut self, device: &Device) -> wgrad::Result<&mut (Session, Value, Value)> {
        if self.test.is_none() {
            let mut g = Graph::new();
            let pixels = network::pixels(&mut g, TOGETHER)?;
            let logits = self.network.forward(&mut g, pixels, Mode::Eval)?.logits;
            let plan = Plan::new(&g, &[logits], device.caps())?;
            self.test = Some((Session::new(device, plan, &self.weights)?, pixels, logits));
        }
        Ok(self.test.as_mut().expect("it was made"))
    }

    fn look(&mut self, device: &Device) -> wgrad::Result<&mut (Session, Looked)> {
        if self.look.is_none() {
            let (g, looked) = self.network.look()?;
            let plan = Plan::new(&g, &looked.outputs, device.caps())?;
            self.look = Some((Session::new(device, plan, &self.weights)?, looked));
        }
        Ok(self.look.as_mut().expect("it was made"))
    }

    fn spread(&mut self, device: &Device) -> wgrad::Result<&mut (Session, Spread)> {
        if self.spread.is_none() {
            let (g, spread) = self.network.spread()?;
            let state = self.weights.with_state_of(&g)?;
            let plan = Plan::new(&g, &[], device.caps())?;
            self.spread = Some((Session::new(device, plan, &state)?, spread));
        }
        Ok(self.spread.as_mut().expect("it was made"))
    }

    /// Writes the next step's batch and rate. Which images it has follows from the seed and the step's number.
    fn feed(&mut self, data: &Images, rate: f32, last: u32) -> wgrad::Result<()> {
        let batches = (data.len() / self.batch).max(1);
        let step = self.session.step_number() as usize;
        let epoch = (step / batches) as u64;
        if epoch != self.epoch {
            self.order = Order::shuffled(data.len(), self.seed.into(), epoch)?.indices().collect();
            self.epoch = epoch;
        }
        let (mut images, mut labels) = (Vec::with_capacity(self.batch * PIXELS), Vec::new());
        for &item in self.order.iter().cycle().skip(step % batches * self.batch).take(self.batch) {
            images.extend_from_slice(data.image(item).unwrap_or_default());
            labels.push(i32::from(data.labels()[item]));
        }
        self.session.write(self.training.pixels, &images[..])?;
        self.session.write(self.training.labels, &labels[..])?;
        let left = if last == 0 { 1.0 } else { 1.0 - (step as f32 / last as f32).min(1.0) };
        self.session.write_scalar(self.training.rate, rate * left)
    }

    async fn train(&mut self, data: &Images, steps: usize, rate: f32, last: u32) -> wgrad::Result<Vec<f32>> {
        for _ in 0..steps {
            if last > 0 && self.session.step_number() >= last {
                break;
            }
            self.feed(data, rate, last)?;
            self.session.step()?;
        }
        let losses = self.session.recorded_async(self.training.loss).await?;
        Ok(losses.as_f32().unwrap_or_default().to_vec())
    }
}
