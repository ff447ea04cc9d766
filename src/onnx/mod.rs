//! ONNX files as networks: to evaluate, to verify, and to train on; and graphs as ONNX files.
//!
//! [`Model::open`] reads and checks a file. [`Model::import`] sets what the file leaves open, such as the batch size, and
//! appends the network to a graph. Float initialisers become parameters of their own names, running statistics become
//! state, and what only describes shapes is computed at once. [`Network::load_into`] gives the parameters the file's
//! values.
//!
//! `proto.rs` has the messages, `wire.rs` counts them first, `read.rs` makes a checked model of them, `tensor.rs` reads
//! tensors of the types in `element.rs`, `attributes.rs` attributes, and `rules.rs` has the rules of shapes. `import/`
//! walks over the nodes, with a file for each family of operators, and `constant/` computes what is known already.
//! `initializer.rs` shows the tensors of a file to programs that build no network.
//! `export/` writes files, for [`Export`].

mod attributes;
mod constant;
mod element;
mod export;
mod import;
mod initializer;
mod network;
mod options;
mod proto;
mod read;
mod rules;
mod tensor;
mod wire;

pub use element::ElementType;
pub use export::Export;
pub use initializer::Initializer;
pub use network::{Network, Output};
pub use options::Import;

use crate::error::Result;
use crate::graph::{Graph, LayerId, Mode, Value};
use crate::nn::Layer;
use crate::weights::{Metadata, Weights};
use read::Contents;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use tensor::Tensor;

/// What errors call a file's contents in host memory.
const IN_MEMORY: &str = "(bytes in memory)";

/// A checked ONNX file, from which networks are built.
///
/// A model with one input and one output is a [`Layer`] as well, so it stands in a [`Sequential`](crate::nn::Sequential)
/// or in a trainer's task. [`Model::import`] builds any model.
///
/// ```no_run
/// # fn main() -> wgrad::Result<()> {
/// use wgrad::{Device, Graph, Plan, Session, Weights, onnx};
///
/// let model = onnx::Model::open("mobilenet.onnx")?;
/// for input in model.inputs() {
///     println!("{input}"); // images float32 [N, 3, 224, 224]
/// }
/// let mut g = Graph::new();
/// let network = model.import().dimension("N", 8).build(&mut g)?;
/// let logits = network.value("logits")?;
///
/// let device = Device::open()?;
/// let weights = Weights::init(&device, &g, 0)?;
/// network.load_into(&weights)?;
/// let mut session = Session::new(&device, Plan::new(&g, &[logits], device.caps())?, &weights)?;
/// session.write(network.input("images")?, &vec![0.5; 8 * 3 * 224 * 224])?;
/// session.step()?;
/// println!("{:?}", session.read(logits)?);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Model {
    contents: Arc<Contents>,
    id: LayerId,
    /// Parameters and state of the networks that were built from it as a layer, by their names in a graph.
    built: Mutex<BTreeMap<String, Arc<Tensor>>>,
}

/// An input or an output of a model.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub struct Port {
    /// Its name.
    pub name: String,
    /// Its dimensions, if the file says how many there are.
    pub dimensions: Option<Vec<Dimension>>,
    /// Its element type; `None` for a type that is not supported.
    pub element: Option<ElementType>,
}

/// The size of a dimension, as a file gives it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Dimension {
    /// A number.
    Fixed(usize),
    /// A name, such as `N` or `batch_size`, whose size [`Import::dimension`] sets.
    Symbolic(String),
    /// Neither; [`Import::shape`] sets it.
    Unknown,
}

impl std::fmt::Display for Port {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&crate::file::printable(&self.name))?;
        match self.element {
            Some(element) => write!(f, " {element}")?,
            None => f.write_str(" of another type")?,
        }
        let Some(dimensions) = &self.dimensions else { return f.write_str(" of any shape") };
        let text = |dimension: &Dimension| match dimension {
            Dimension::Fixed(size) => size.to_string(),
            Dimension::Symbolic(name) => crate::file::printable(name),
            Dimension::Unknown => "?".into(),
        };
        write!(f, " [{}]", dimensions.iter().map(text).collect::<Vec<_>>().join(", "))
    }
}

impl Model {
    /// Reads a file and checks it: its tensors lie within it, or within other files of the same folder.
    ///
    /// # Errors
    /// A file that can't be read, is damaged or is no ONNX model; an operator set before 9; external data outside the
    /// file's folder; not enough memory.
    pub fn open(path: impl AsRef<Path>) -> Result<Model> {
        Ok(Model::new(Contents::open(path.as_ref())?))
    }

    /// [`Model::open`] of a file's contents in host memory. Its tensors have to lie in it.
    ///
    /// # Errors
    /// As [`Model::open`].
    pub fn from_bytes(bytes: impl Into<Vec<u8>>) -> Result<Model> {
        Ok(Model::new(Contents::decode(IN_MEMORY.into(), None, bytes.into().into())?))
    }

    fn new(contents: Contents) -> Model {
        Model { contents: Arc::new(contents), id: LayerId::new(), built: Mutex::default() }
    }

    /// The model's file and those of its external data, in the order of their paths. A model in memory has none.
    pub fn files(&self) -> impl ExactSizeIterator<Item = &Path> {
        self.contents.files.iter().map(PathBuf::as_path)
    }

    /// The inputs, in the file's order, without initialisers.
    pub fn inputs(&self) -> &[Port] {
        &self.contents.inputs
    }

    /// The outputs, in the file's order.
    pub fn outputs(&self) -> &[Port] {
        &self.contents.outputs
    }

    /// The version of ONNX's operators that the file uses.
    pub fn opset(&self) -> i64 {
        self.contents.opset
    }

    /// The program that wrote the file, as it calls itself.
    pub fn producer(&self) -> &str {
        &self.contents.producer
    }

    /// How many nodes of each operator there are, `Constant` among them. An operator of another domain than ONNX's own has
    /// the domain in front, as in `com.microsoft.FusedConv`.
    pub fn operators(&self) -> &BTreeMap<String, usize> {
        &self.contents.operators
    }

    /// What the file says of its network, as files of weights do; [`Export`] writes it. What other programs note
    /// is in [`Metadata::notes`].
    pub fn metadata(&self) -> &Metadata {
        &self.contents.metadata
    }

    /// What can be set before the network is built.
    pub fn import(&self) -> Import<'_> {
        Import::new(self)
    }

    /// [`Network::load_into`] for networks that [`Layer::forward`] built from this model, in any graph and scope. Names that
    /// these weights lack are left out.
    ///
    /// # Errors
    /// Weights that have none of the parameters; as [`Network::load_into`].
    pub fn load_into(&self, weights: &Weights) -> Result<()> {
        let built = self.built.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let held: BTreeSet<&str> = weights.names().collect();
        let loads: Vec<_> = built.into_iter().filter(|(name, _)| held.contains(name.as_str())).collect();
        if loads.is_empty() {
            return Err(self.contents.error(
                "these weights have none of its parameters; make them from a graph that the model was built into".into(),
            ));
        }
        network::upload(&loads, weights)
    }
}

impl Layer for Model {
    fn forward(&self, g: &mut Graph, x: Value, mode: Mode) -> Result<Value> {
        let ([input], [output]) = (self.inputs(), self.outputs()) else {
            return Err(self.contents.error(format!(
                "has {} inputs and {} outputs, and a layer has one of each; build it with Model::import",
                self.inputs().len(),
                self.outputs().len()
            )));
        };
        let network = self.import().mode(mode).input(&input.name, x).build(g)?;
        let mut built = self.built.lock().unwrap_or_else(PoisonError::into_inner);
        built.extend(network.loads().iter().cloned());
        network.value(&output.name)
    }
}
