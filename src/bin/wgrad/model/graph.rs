//! Graphs of a network: of its outputs, and of a training step. What their inputs are filled with to time and to check them is
//! here too.

use super::{Model, Source};
use crate::out::{Outcome, fail};
use crate::precision;
use wgrad::file::printable;
use wgrad::nn::Layer;
use wgrad::onnx::{self, Dimension, Output, Port};
use wgrad::{DType, Graph, HostTensor, Mode, Session, Shape, Value, optim};

/// A graph of a network.
pub(crate) struct Built {
    pub(crate) graph: Graph,
    /// As the file fixes it, or as it was asked for.
    pub(crate) batch: usize,
    /// What a step needs.
    pub(crate) inputs: Vec<Value>,
    pub(crate) outputs: Vec<Value>,
    /// Of an ONNX file.
    pub(crate) network: Option<onnx::Network>,
}

/// A training step by SGD with momentum, from random inputs to a cross-entropy.
pub(crate) struct Trained {
    pub(crate) built: Built,
    pub(crate) labels: Value,
    pub(crate) classes: usize,
    pub(crate) rate: Value,
}

impl Model {
    /// The forward pass, or a training step, with numbers for all of its inputs.
    pub(crate) fn build_filled(
        &self,
        train: bool,
        batch: Option<usize>,
        default: usize,
        precision: precision::Wanted,
    ) -> Outcome<(Built, Vec<(Value, HostTensor)>)> {
        if train {
            let trained = self.build_training(batch, default, precision)?;
            let filled = trained.fill()?;
            return Ok((trained.built, filled));
        }
        let built = self.build(batch, default, Mode::Eval)?;
        let filled = fill(&built.graph, &built.inputs)?;
        Ok((built, filled))
    }

    /// The network for so many inputs at a time, or for as many as an ONNX file fixes, and `default` of them else.
    pub(crate) fn build(&self, batch: Option<usize>, default: usize, mode: Mode) -> Outcome<Built> {
        match &self.source {
            Source::Onnx(model) => self.import(model, batch, default, mode),
            _ => {
                let batch = batch.unwrap_or(default);
                let mut graph = Graph::new();
                let shape = Shape::from([&[batch], &self.item.clone().unwrap_or_default()[..]].concat());
                let images = graph.input("images", shape)?;
                let logits = self.layer().forward(&mut graph, images, mode)?;
                Ok(Built { graph, batch, inputs: vec![images], outputs: vec![logits], network: None })
            }
        }
    }

    fn import(
        &self,
        model: &onnx::Model,
        batch: Option<usize>,
        default: usize,
        mode: Mode,
    ) -> Outcome<Built> {
        let fixed = model.inputs().first().and_then(|port| match port.dimensions.as_deref() {
            Some([Dimension::Fixed(size), ..]) => Some(*size),
            _ => None,
        });
        let batch = batch.or(fixed).unwrap_or(default);
        if self.item.is_some() && model.inputs().len() != 1 {
            return fail(format!(
                "{} has {} inputs; --input says the sizes of one",
                self.name,
                model.inputs().len()
            ));
        }
        let mut import = model.import().mode(mode);
        for port in model.inputs() {
            import = import.shape(&port.name, self.shape_of(port, batch, fixed)?);
        }
        let mut graph = Graph::new();
        let network = import.build(&mut graph)?;
        let value = |(_, output): &(String, Output)| match output {
            Output::Value(value) => Some(*value),
            Output::Constant(_) => None,
        };
        let outputs: Vec<Value> = network.outputs().iter().filter_map(value).collect();
        if outputs.is_empty() {
            return fail(format!("{}: no output depends on an input, so there is nothing to run", self.name));
        }
        let inputs = network.inputs().values().copied().collect();
        Ok(Built { graph, batch, inputs, outputs, network: Some(network) })
    }

    /// The shape of an input of an ONNX file, whose batch is `fixed` in the file or open.
    fn shape_of(&self, port: &Port, batch: usize, fixed: Option<usize>) -> Outcome<Shape> {
        if let Some(item) = &self.item {
            return Ok(Shape::from([&[batch], &item[..]].concat()));
        }
        let open = || {
            fail(format!(
                "{}: the input {port} leaves sizes open; set them by --input, such as 3x224x224",
                self.name
            ))
        };
        let Some(dimensions) = &port.dimensions else { return open() };
        let mut sizes = Vec::with_capacity(dimensions.len());
        for (axis, dimension) in dimensions.iter().enumerate() {
            match dimension {
                Dimension::Fixed(size) if axis > 0 || fixed != Some(*size) => sizes.push(*size),
                _ if axis == 0 => sizes.push(batch),
                _ => return open(),
            }
        }
        Ok(Shape::from(sizes))
    }

    /// A training step.
    pub(crate) fn build_training(
        &self,
        batch: Option<usize>,
        default: usize,
        precision: precision::Wanted,
    ) -> Outcome<Trained> {
        let mut built = self.build(batch, default, Mode::Train)?;
        let &[logits] = &built.outputs[..] else {
            return fail(format!(
                "{}: the network has {} outputs; a training step is timed of one, logits [n, classes]",
                self.name,
                built.outputs.len()
            ));
        };
        let mut shape = built.graph.shape(logits)?.to_vec();
        if shape.len() < 2 || shape[0] != built.batch {
            return fail(format!(
                "{}: a training step needs logits [n, classes], found {shape:?}",
                self.name
            ));
        }
        let classes = shape.remove(1);
        let graph = &mut built.graph;
        // An ONNX file may have inputs of these names.
        let labels = graph.input_i32("wgrad.labels", shape)?;
        let loss = graph.cross_entropy(logits, labels)?;
        let rate = graph.input_scalar("wgrad.learning_rate")?;
        let mut sgd = optim::Sgd::new(rate).momentum(0.9);
        if precision.mixed {
            sgd = sgd.loss_scale(optim::LossScale::new());
        }
        sgd.minimize(graph, loss)?;
        built.outputs = vec![loss];
        Ok(Trained { built, labels, classes, rate })
    }
}

/// Numbers from -1 to 1 that look random, the same in every run.
fn numbers(count: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

/// What to write to these inputs of a graph: floats that look random; zeros where they are integers, because a zero is always
/// a valid index.
fn fill(graph: &Graph, inputs: &[Value]) -> Outcome<Vec<(Value, HostTensor)>> {
    let mut filled = Vec::new();
    for (seed, &value) in inputs.iter().enumerate() {
        let info = graph.value(value)?;
        let shape = info.ty.shape.clone();
        let tensor = match info.ty.dtype {
            DType::F32 => HostTensor::f32(shape.clone(), numbers(shape.elements(), seed as u64 + 1))?,
            DType::I32 => HostTensor::i32(shape.clone(), vec![0; shape.elements()])?,
            other => {
                return fail(format!(
                    "the input \"{}\" takes {other}, which is not filled",
                    printable(&info.name)
                ));
            }
        };
        filled.push((value, tensor));
    }
    Ok(filled)
}

impl Trained {
    /// Random inputs and labels, and a rate that leaves the weights near where they are.
    fn fill(&self) -> Outcome<Vec<(Value, HostTensor)>> {
        let graph = &self.built.graph;
        let mut filled = fill(graph, &self.built.inputs)?;
        let shape = graph.shape(self.labels)?.clone();
        let labels = (0..shape.elements()).map(|i| (i * 7 % self.classes) as i32).collect();
        filled.push((self.labels, HostTensor::i32(shape, labels)?));
        filled.push((self.rate, HostTensor::filled([0; 0], 1e-4)?));
        Ok(filled)
    }
}

/// Writes what a step needs.
pub(crate) fn write(session: &mut Session, filled: &[(Value, HostTensor)]) -> Outcome<()> {
    for (value, tensor) in filled {
        session.write(*value, tensor)?;
    }
    Ok(())
}
