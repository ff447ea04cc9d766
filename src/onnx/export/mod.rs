//! Graphs as ONNX files.
//!
//! `walk.rs` goes over the nodes that the outputs need, `node.rs` is what a node's function sees of it, and `message.rs`
//! makes the file's messages. `table.rs` says which function writes which operator; there is a file for each family.
//! `batch.rs` follows the batch dimension, where its size is left open.

mod batch;
mod convolution;
mod elementwise;
mod losses;
mod message;
mod node;
mod normalization;
mod pooling;
mod products;
mod reductions;
mod resampling;
mod shapes;
mod table;
mod walk;

use super::IN_MEMORY;
use crate::error::{Error, Result};
use crate::graph::{Graph, Value};
use crate::weights::Weights;
use std::path::Path;

/// The version of ONNX's operators that files are written for.
const OPSET: i64 = 20;

/// Writes values of a graph as an ONNX file: a network for evaluation, with the parameters' names and their present
/// contents.
///
/// Inputs keep their names. Everything that the outputs need must have a counterpart in ONNX: what a network computes in
/// [`Mode::Eval`](crate::Mode::Eval), and losses. Gradients, updates and anything random have none.
///
/// ```no_run
/// # fn main() -> wgrad::Result<()> {
/// use wgrad::{Device, Graph, Mode, Weights, nn, nn::Layer, onnx};
///
/// let net = nn::models::resnet18(3, 10);
/// let mut g = Graph::new();
/// let images = g.input("images", [2, 3, 224, 224])?;
/// let logits = net.forward(&mut g, images, Mode::Eval)?;
/// let weights = Weights::init(&Device::open()?, &g, 0)?;
/// weights.load("trained.safetensors")?;
/// // The file's input is images[N, 3, 224, 224].
/// onnx::Export::new(&g).output("logits", logits).batch("N").save("trained.onnx", &weights)?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "nothing is written before Export::save"]
pub struct Export<'g> {
    graph: &'g Graph,
    outputs: Vec<(String, Value)>,
    batch: Option<String>,
}

impl<'g> Export<'g> {
    /// An export of `graph` without outputs. [`Export::output`] adds them.
    pub fn new(graph: &'g Graph) -> Self {
        Export { graph, outputs: Vec::new(), batch: None }
    }

    /// Adds an output and sets its name in the file.
    pub fn output(mut self, name: impl Into<String>, value: Value) -> Self {
        self.outputs.push((name.into(), value));
        self
    }

    /// Leaves the batch size open, under this name, `N` by custom. The batch is the first dimension of the graph's first
    /// input, and of all other inputs whose first dimension is as large. Its size in the graph has to be 2 or more,
    /// because a 1 could be any dimension of size 1.
    pub fn batch(mut self, name: impl Into<String>) -> Self {
        self.batch = Some(name.into());
        self
    }

    /// Writes the file, by [`write_whole`](crate::file::write_whole). Parameters and running statistics are those of
    /// `weights` at one time. The [metadata](Weights::set_metadata) goes with them.
    ///
    /// # Errors
    /// Everything that ONNX has no counterpart for, at once: a line for each node. No output; names that are taken;
    /// weights of another graph; 2 GiB or more; a path that can't be written; a fault of the device.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn save(&self, path: impl AsRef<Path>, weights: &Weights) -> Result<()> {
        let path = path.as_ref();
        let bytes = crate::device::block_on(self.write(path, weights))?;
        crate::file::write_whole(path, &bytes)
    }

    /// What [`Export::save`] writes, in host memory.
    ///
    /// # Errors
    /// As [`Export::save`], except those of the file.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn to_bytes(&self, weights: &Weights) -> Result<Vec<u8>> {
        crate::device::block_on(self.to_bytes_async(weights))
    }

    /// [`Export::to_bytes`] without blocking.
    ///
    /// # Errors
    /// As [`Export::to_bytes`].
    pub async fn to_bytes_async(&self, weights: &Weights) -> Result<Vec<u8>> {
        self.write(Path::new(IN_MEMORY), weights).await
    }

    async fn write(&self, path: &Path, weights: &Weights) -> Result<Vec<u8>> {
        self.graph.check_owned(self.outputs.iter().map(|(_, value)| *value))?;
        let fail = |message: String| Error::Onnx { path: path.to_owned(), message };
        let walk = walk::Walk::new(self.graph, &self.outputs, self.batch.as_deref()).map_err(fail)?;
        let stored = weights.download_of(walk.stored()).await?;
        walk.file(stored, &weights.metadata()).map_err(fail)
    }
}
