//! Parameters and state on the device, shared by name between sessions; and files of them.
//!
//! `layout.rs` says where tensors lie, `init.rs` creates them, `host.rs` downloads and uploads all of them. `file.rs`
//! writes files and loads checkpoints; `load.rs` loads weights, as `options.rs` says, and reports (`report.rs`).
//! `reader.rs` reads tensors from an open file (`contents.rs`) at the places that its format lists (`stored.rs`), and
//! `floats.rs` converts them. The formats are `header.rs` (safetensors), `shards.rs` (an index of several files) and
//! `pytorch/` (the files of `torch.save`; without the feature `without_pytorch.rs` refuses them). `checkpoint.rs` and
//! `metadata.rs` have what files say in addition to tensors.
//! `folded.rs` folds batch norms into weights. `tensor_file.rs` reads files without a network and a device, `write/` writes such tensors, and `element.rs` has their types.

mod checkpoint;
mod contents;
mod element;
mod file;
mod floats;
mod folded;
mod header;
mod host;
mod init;
mod layout;
mod load;
mod metadata;
mod options;
#[cfg(feature = "pytorch")]
mod pytorch;
#[cfg(not(feature = "pytorch"))]
#[path = "without_pytorch.rs"]
mod pytorch;
mod reader;
mod report;
mod shards;
mod stored;
mod tensor_file;
mod write;

pub(crate) use checkpoint::Checkpoint;
pub(crate) use contents::{IN_MEMORY, Origin};
pub use element::{StoredTensor, StoredType};
pub use folded::FoldedGraph;
pub use metadata::Metadata;
pub use options::LoadOptions;
pub use report::{LoadReport, LoadedTensor};
pub use tensor_file::{TensorFile, TensorFormat, TensorInfo};
pub use write::TensorWriter;

use crate::device::{Buffer, Device};
use crate::error::{Error, Result};
use crate::graph::{Graph, Value};
use crate::op::arena_bytes;
use crate::tensor::{HostSlice, HostTensor, Shape, TensorType};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// Parameters, running statistics and optimizer state of a graph, in arenas on the device.
///
/// Cheap to clone; clones share the memory.
///
/// ```no_run
/// # fn main() -> wgrad::Result<()> {
/// use wgrad::{Device, Graph, Mode, Weights, nn, nn::Layer};
///
/// let net = nn::Sequential::new().add("fc", nn::Linear::new(4, 2));
/// let mut g = Graph::new();
/// let x = g.input("x", [1, 4])?;
/// net.forward(&mut g, x, Mode::Train)?;
/// let weights = Weights::init(&Device::open()?, &g, 42)?;
/// assert_eq!(weights.names().collect::<Vec<_>>(), ["fc.bias", "fc.weight"]);
/// weights.write("fc.bias", &[0.5, -0.5])?;
/// println!("{:?}", weights.read("fc.weight")?);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Weights {
    device: Device,
    pages: Arc<Vec<Buffer>>,
    entries: Arc<BTreeMap<String, Entry>>,
    metadata: Arc<Mutex<Metadata>>,
}

#[derive(Clone, Debug)]
struct Entry {
    shape: Shape,
    page: usize,
    offset: u64,
    in_file: bool,
    /// The parameter that this state, which no file of weights holds, starts as a copy of.
    copies: Option<String>,
}

/// Suffix of a parameter's average.
pub(crate) const AVERAGE: &str = "average";

impl Weights {
    /// Names of all tensors, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    /// Names of the tensors that files of weights hold: parameters and running statistics.
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn saved_names(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().filter(|(_, entry)| entry.in_file).map(|(name, _)| name.as_str())
    }

    /// Downloads one tensor.
    ///
    /// # Errors
    /// An unknown name; a fault of the device.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn read(&self, name: &str) -> Result<HostTensor> {
        crate::device::block_on(self.read_async(name))
    }

    /// [`Weights::read`] without blocking.
    ///
    /// # Errors
    /// As [`Weights::read`].
    pub async fn read_async(&self, name: &str) -> Result<HostTensor> {
        self.device.check()?;
        let entry = self.entry(name)?;
        let ty = TensorType::f32(entry.shape.clone());
        let bytes = self.device.read_async(&[(&self.pages[entry.page], entry.offset, ty.bytes())]).await?;
        HostTensor::from_bytes(&ty, &bytes[0])
    }

    /// Uploads one tensor. State that starts as a copy of it, such as its average, starts anew from these contents.
    ///
    /// # Errors
    /// An unknown name; another number of elements; a fault of the device.
    pub fn write(&self, name: &str, data: &[f32]) -> Result<()> {
        self.device.check()?;
        let entry = self.entry(name)?;
        if data.len() != entry.shape.elements() {
            return Err(Error::Value {
                name: name.to_owned(),
                message: format!(
                    "shape {} has {} elements, found {}",
                    entry.shape,
                    entry.shape.elements(),
                    data.len()
                ),
            });
        }
        let copies = self.copies_of(name).map(|(_, copy)| copy);
        for entry in std::iter::once(entry).chain(copies) {
            self.device.write(&self.pages[entry.page], entry.offset, HostSlice::F32(data).bytes())?;
        }
        Ok(())
    }

    /// The same weights with each parameter replaced by its average, to evaluate with or to save. It shares
    /// the memory. Tensors without an average, such as running statistics, are the same as before.
    ///
    /// ```no_run
    /// # fn main() -> wgrad::Result<()> {
    /// # use wgrad::{Device, Plan, Result, Session, Weights};
    /// # fn evaluate(device: &Device, evaluation: Plan, weights: &Weights) -> Result<()> {
    /// // Of weights that were trained with `Optimizer::average`.
    /// let mut session = Session::new(device, evaluation, &weights.averaged()?)?;
    /// session.step()?;
    /// # Ok(())
    /// # }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Weights without averages; a lost device.
    pub fn averaged(&self) -> Result<Weights> {
        self.device.check()?;
        let mut entries = (*self.entries).clone();
        let mut averages = 0;
        for (name, entry) in self.entries.iter().filter(|(_, entry)| entry.in_file) {
            let average = average_of(name);
            if self.copies_of(name).any(|(copy, _)| *copy == average)
                && let Some(average) = entries.remove(&average)
            {
                averages += 1;
                entries.insert(name.clone(), Entry { in_file: entry.in_file, copies: None, ..average });
            }
        }
        if averages == 0 {
            return Err(Error::Graph(
                "the weights hold no averages; let the optimizer of their training graph keep an average"
                    .into(),
            ));
        }
        Ok(Weights {
            device: self.device.clone(),
            pages: Arc::clone(&self.pages),
            entries: Arc::new(entries),
            metadata: Arc::clone(&self.metadata),
        })
    }

    /// Whether these are the memory of `others`, and perhaps more.
    pub(crate) fn holds(&self, others: &Weights) -> bool {
        let same = |(name, other): (&String, &Entry)| {
            self.entries.get(name).is_some_and(|entry| {
                entry.offset == other.offset && self.pages[entry.page].raw == others.pages[other.page].raw
            })
        };
        others.entries.iter().all(same)
    }

    /// Fails if the weights are on another device.
    pub(crate) fn check_device(&self, device: &Device) -> Result<()> {
        device.check_owns("weights", &self.device)
    }

    /// Buffer and start of a run of tensors, which must be adjacent.
    pub(crate) fn place(&self, graph: &Graph, run: &[Value]) -> Result<(&Buffer, u64)> {
        let mut expected: Option<(usize, u64, u64)> = None;
        for &value in run {
            let info = graph.info(value);
            let entry = self.entry(&info.name)?;
            let error = |message: String| Error::Value { name: info.name.clone(), message };
            if entry.shape != info.ty.shape {
                return Err(error(format!(
                    "the weights hold it with shape {}, the graph has {}",
                    entry.shape, info.ty.shape
                )));
            }
            if expected.is_some_and(|(page, _, next)| page != entry.page || next != entry.offset) {
                return Err(error(
                    "the weights were laid out for another optimizer; make them from the training graph"
                        .into(),
                ));
            }
            let start = expected.map_or(entry.offset, |(_, start, _)| start);
            expected = Some((entry.page, start, entry.offset + arena_bytes(&info.ty)));
        }
        let (page, start, _) = expected.expect("a run has at least one tensor");
        Ok((&self.pages[page], start))
    }

    /// The tensors that start as copies of a parameter.
    fn copies_of(&self, parameter: &str) -> impl Iterator<Item = (&String, &Entry)> {
        self.entries.iter().filter(move |(_, entry)| entry.copies.as_deref() == Some(parameter))
    }

    fn entry(&self, name: &str) -> Result<&Entry> {
        self.entries.get(name).ok_or_else(|| Error::Value {
            name: name.to_owned(),
            message: "the weights hold no tensor of this name; make them from the graph that trains it"
                .into(),
        })
    }
}

fn average_of(parameter: &str) -> String {
    format!("{parameter}.{AVERAGE}")
}
