//! A network that was built from a file, and the values of its parameters.

use super::tensor::Tensor;
use crate::error::{Error, Result};
use crate::file::printable;
use crate::graph::Value;
use crate::tensor::HostTensor;
use crate::weights::Weights;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

/// An output of a network.
#[derive(Clone, PartialEq, Debug)]
pub enum Output {
    /// A value of the graph.
    Value(Value),
    /// What depends on no input, and is known already.
    Constant(HostTensor),
}

/// A parameter or a state: its name in the graph, and its contents in the file.
pub(super) type Load = (String, Arc<Tensor>);

/// The values of a network that [`Import::build`](super::Import::build) appended to a graph.
#[derive(Clone, Debug)]
pub struct Network {
    path: PathBuf,
    inputs: BTreeMap<String, Value>,
    outputs: Vec<(String, Output)>,
    loads: Vec<Load>,
}

impl Network {
    pub(super) fn new(
        path: PathBuf,
        inputs: BTreeMap<String, Value>,
        outputs: Vec<(String, Output)>,
        loads: Vec<Load>,
    ) -> Network {
        Network { path, inputs, outputs, loads }
    }

    pub(super) fn loads(&self) -> &[Load] {
        &self.loads
    }

    fn error(&self, message: String) -> Error {
        Error::Onnx { path: self.path.clone(), message }
    }

    /// An input, by the file's name.
    ///
    /// # Errors
    /// No such input, or one that no output depends on.
    pub fn input(&self, name: &str) -> Result<Value> {
        self.inputs.get(name).copied().ok_or_else(|| {
            let names: Vec<String> = self.inputs.keys().map(|name| printable(name)).collect();
            self.error(format!(
                "the network reads no input \"{}\"; it reads {}",
                printable(name),
                names.join(", ")
            ))
        })
    }

    /// The inputs that outputs depend on, by the file's names.
    pub fn inputs(&self) -> &BTreeMap<String, Value> {
        &self.inputs
    }

    /// The outputs, in the file's order or in that of [`Import::outputs`](super::Import::outputs).
    pub fn outputs(&self) -> &[(String, Output)] {
        &self.outputs
    }

    /// An output, by the file's name.
    ///
    /// # Errors
    /// No such output, or one that depends on no input: [`Network::outputs`] has its contents.
    pub fn value(&self, name: &str) -> Result<Value> {
        match self.outputs.iter().find(|(output, _)| output == name) {
            Some((_, Output::Value(value))) => Ok(*value),
            Some((_, Output::Constant(_))) => Err(self.error(format!(
                "output \"{}\" depends on no input; take its contents from Network::outputs",
                printable(name)
            ))),
            None => {
                let names: Vec<String> = self.outputs.iter().map(|(name, _)| printable(name)).collect();
                Err(self.error(format!(
                    "the network has no output \"{}\"; it has {}",
                    printable(name),
                    names.join(", ")
                )))
            }
        }
    }

    /// Names of the parameters and the state in the graph, in the order of their first use.
    pub fn parameters(&self) -> impl ExactSizeIterator<Item = &str> {
        self.loads.iter().map(|(name, _)| name.as_str())
    }

    /// Gives the network's parameters and running statistics the values of the file. Another thread sees all old ones or
    /// all new ones.
    ///
    /// # Errors
    /// Weights that lack one of them or hold it in another shape, as those of another graph do; a fault of the device.
    pub fn load_into(&self, weights: &Weights) -> Result<()> {
        upload(&self.loads, weights)
    }
}

/// Uploads tensors to weights that hold all of them.
pub(super) fn upload<'l>(loads: impl IntoIterator<Item = &'l Load>, weights: &Weights) -> Result<()> {
    let floats = |(name, tensor): &'l Load| (name.as_str(), tensor.as_floats().unwrap_or_default());
    weights.write_all(loads.into_iter().map(floats))
}
