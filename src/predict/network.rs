//! The network that is predicted with: its weights, and its graph for any batch size.

use crate::device::Device;
use crate::error::{Error, Result};
use crate::graph::{Graph, Mode, Value};
use crate::nn::{Layer, models};
use crate::plan::PlanOptions;
use crate::tensor::{DType, Shape};
use crate::weights::{FoldedGraph, Metadata, Weights};
use std::path::Path;
use std::sync::Arc;

/// What the graphs of all batch sizes are made of.
#[derive(Debug)]
pub(super) struct Network {
    pub layer: Arc<dyn Layer>,
    pub metadata: Metadata,
    /// Shape and element type of one item.
    pub item: Shape,
    pub dtype: DType,
}

/// A graph of one batch size.
pub(super) struct Batched {
    pub graph: Graph,
    pub input: Value,
    pub output: Value,
}

/// A network whose weights are on a device.
#[derive(Debug)]
pub(super) struct Loaded {
    pub network: Network,
    pub device: Device,
    pub weights: Weights,
    /// Whether batch norms are folded into the weights.
    pub folded: bool,
    pub plan: PlanOptions,
}

impl Loaded {
    /// The graph of a batch, for the weights.
    pub(super) fn graph(&self, batch: usize, mode: Mode) -> Result<Batched> {
        let batched = self.network.graph(batch, mode)?;
        if !self.folded {
            return Ok(batched);
        }
        let folded = FoldedGraph::new(&batched.graph, &[batched.output])?;
        Ok(Batched { graph: folded.graph().clone(), ..batched })
    }
}

impl Network {
    /// The network that a file says it is of.
    pub(super) fn named(path: &Path, metadata: &Metadata) -> Result<Arc<dyn Layer>> {
        let error =
            |message: &str| Err(Error::Weights { path: path.to_owned(), message: message.to_owned() });
        let Some(name) = &metadata.network else {
            return error("says of no network whose weights they are; give it by PredictorOptions::network");
        };
        let Some(channels) = metadata.input_shape.as_ref().and_then(|shape| shape.first()) else {
            return error(
                "names a network but no input shape; give the network by PredictorOptions::network",
            );
        };
        if metadata.class_names.is_empty() {
            return error("names a network but no classes; give the network by PredictorOptions::network");
        }
        match models::by_name(name, *channels, metadata.class_names.len()) {
            Some(network) => Ok(Arc::new(network)),
            None => error(&format!(
                "is of a network \"{name}\", expected one of {}; give another by PredictorOptions::network",
                models::NAMES.join(", ")
            )),
        }
    }

    /// The graph of a batch. Bytes are normalised as the metadata says.
    pub(super) fn graph(&self, batch: usize, mode: Mode) -> Result<Batched> {
        let mut graph = Graph::new();
        let shape = Shape::from([&[batch], &self.item[..]].concat());
        let (input, x) = if self.dtype == DType::F32 {
            let input = graph.input("items", shape)?;
            (input, input)
        } else {
            let input = graph.input_u8("items", shape)?;
            let Metadata { mean, deviation, .. } = &self.metadata;
            let x = if mean.is_empty() {
                graph.bytes_to_float(input)?
            } else if mean.len() != 1 && mean.len() != self.item[0] {
                let (item, found) = (&self.item, mean.len());
                let message = format!("found {found}, and an item {item} has {} channels", item[0]);
                return Err(Error::Setting { setting: "mean", message });
            } else {
                let [mean, deviation] = [mean, deviation].map(|all| all.iter().map(|&x| f64::from(x)));
                graph.normalize_bytes(input, &mean.collect::<Vec<_>>(), &deviation.collect::<Vec<_>>())?
            };
            (input, x)
        };
        let output = self.layer.forward(&mut graph, x, mode)?;
        let ty = &graph.value(output)?.ty;
        if ty.dtype != DType::F32 || ty.shape.first() != Some(&batch) {
            let message =
                format!("the network makes {ty}, expected f32 with {batch} rows, one for each item");
            return Err(Error::Graph(message));
        }
        Ok(Batched { graph, input, output })
    }

    /// A copy of weights, with batch norms folded into them. The network must have graphs of this batch size.
    pub(super) fn folded(&self, weights: &Weights, batch: usize) -> Result<Weights> {
        let fold = |mode| {
            let Batched { graph, output, .. } = self.graph(batch, mode)?;
            FoldedGraph::new(&graph, &[output])
        };
        let mut graphs = vec![fold(Mode::Eval)?];
        // A spread fails where the network has no such graph. Dropout may keep apart what evaluation folds.
        graphs.extend(fold(Mode::MonteCarlo));
        weights.folded(&graphs.iter().collect::<Vec<_>>())
    }

    /// How many items there are in so many elements.
    pub(super) fn items(&self, elements: usize, dtype: DType) -> Result<usize> {
        let each = self.item.elements();
        let message = if dtype != self.dtype {
            format!("found {dtype} data, expected {}", self.dtype)
        } else if !elements.is_multiple_of(each) {
            format!("found {elements} elements, expected a multiple of {each}: an item is {}", self.item)
        } else {
            return Ok(elements / each);
        };
        Err(Error::Setting { setting: "items", message })
    }
}
