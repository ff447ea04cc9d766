//! A node of the graph, as the function that writes it sees it.

use super::batch::Batch;
use super::message;
use super::walk::{Made, Walk};
use crate::graph::{self, Source};
use crate::onnx::proto::AttributeProto;
use crate::op::Operator;
use crate::tensor::{HostTensor, Shape};
use std::sync::Arc;

/// A node that is being written.
pub(super) struct Node<'w, 'g> {
    walk: &'w mut Walk<'g>,
    node: &'g graph::Node,
}

impl<'w, 'g> Node<'w, 'g> {
    pub(super) fn new(walk: &'w mut Walk<'g>, node: &'g graph::Node) -> Self {
        Node { walk, node }
    }

    pub(super) fn operator(&self) -> &'g Arc<dyn Operator> {
        &self.node.operator
    }

    /// Number of its inputs.
    pub(super) fn inputs(&self) -> usize {
        self.node.inputs.len()
    }

    /// The file's name of an input.
    pub(super) fn input(&self, i: usize) -> String {
        self.walk.made(self.node.inputs[i]).name.clone()
    }

    pub(super) fn shape(&self, i: usize) -> &'g Shape {
        self.walk.graph.shape_of(self.node.inputs[i])
    }

    /// Shape of the first output.
    pub(super) fn output_shape(&self) -> &'g Shape {
        self.walk.graph.shape_of(self.node.outputs[0])
    }

    /// Where the batch is in an input.
    pub(super) fn batch(&self, i: usize) -> Option<Batch> {
        self.walk.made(self.node.inputs[i]).batch
    }

    /// The size of the batch in the graph.
    pub(super) fn samples(&self) -> usize {
        self.walk.samples()
    }

    /// The batch in the first output, whose dimension `axis` is that of the first input's batch.
    pub(super) fn moved(&self, axis: usize) -> Option<Batch> {
        self.batch(0).map(|batch| batch.moved(self.shape(0), axis, self.output_shape()))
    }

    /// Fails if an input from `first` on depends on the batch: it stands for a parameter.
    pub(super) fn fixed_from(&self, first: usize) -> Result<(), String> {
        match (first..self.inputs()).find(|&i| self.batch(i).is_some()) {
            Some(i) => Err(format!("input {i} may not depend on the batch, whose size is left open")),
            None => Ok(()),
        }
    }

    /// Fails if the batch is in one of these dimensions of the first input.
    pub(super) fn batch_outside(
        &self,
        axes: impl IntoIterator<Item = usize>,
        what: &str,
    ) -> Result<(), String> {
        match self.batch(0) {
            Some(batch) if axes.into_iter().any(|axis| axis == batch.axis) => Err(format!(
                "{what} along dimension {}, whose size depends on the batch and is left open",
                batch.axis
            )),
            _ => Ok(()),
        }
    }

    /// The result of an operator whose inputs broadcast against each other.
    pub(super) fn broadcast(&self, name: String) -> Result<Made, String> {
        let output = self.output_shape();
        let aligned = |i: usize, axis: usize| axis + output.len() - self.shape(i).len();
        let found = (0..self.inputs()).find_map(|i| {
            self.batch(i).map(|batch| batch.moved(self.shape(i), aligned(i, batch.axis), output))
        });
        let Some(batch) = found else { return Ok(Made { name, batch: None }) };
        for i in 0..self.inputs() {
            let shape = self.shape(i);
            let fits = match self.batch(i) {
                Some(own) => own.moved(shape, aligned(i, own.axis), output) == batch,
                None => {
                    (batch.axis + shape.len()).checked_sub(output.len()).is_none_or(|axis| shape[axis] == 1)
                }
            };
            if !fits {
                return Err(format!(
                    "input {i} {shape} has a fixed size where the batch is, whose size is left open; let it broadcast, with size 1 there"
                ));
            }
        }
        Ok(Made { name, batch: Some(batch) })
    }

    /// The result, with the batch where the first input has it.
    pub(super) fn like_input(&self, name: String) -> Made {
        Made { name, batch: self.batch(0).and_then(|batch| self.moved(batch.axis)) }
    }

    /// Writes a node, and returns the name of its output.
    pub(super) fn op(&mut self, operator: &str, inputs: &[&str], attributes: Vec<AttributeProto>) -> String {
        let name = self.walk.fresh(&format!("{}/{operator}", self.node.name));
        let inputs = inputs.iter().map(|&input| input.to_owned()).collect();
        self.walk.nodes.push(message::node(&name, operator, inputs, name.clone(), attributes));
        name
    }

    /// Writes a node that makes another element type of `x`, one of [`message`]'s numbers.
    pub(super) fn cast(&mut self, x: &str, to: i32) -> String {
        self.op("Cast", &[x], vec![message::int("to", to.into())])
    }

    /// A list of integers.
    pub(super) fn integers(&mut self, values: &[i64]) -> String {
        let name = self.constant_name();
        self.walk.add_list(message::integers(&name, values));
        name
    }

    /// A list of sizes or axes.
    pub(super) fn sizes(&mut self, values: &[usize]) -> String {
        self.integers(&values.iter().map(|&value| value as i64).collect::<Vec<_>>())
    }

    /// A shape whose dimension of the batch, if it has one, follows from the number of elements.
    pub(super) fn open_shape(&mut self, shape: &[usize], batch: Option<Batch>) -> String {
        let mut sizes: Vec<i64> = shape.iter().map(|&size| size as i64).collect();
        if let Some(batch) = batch {
            sizes[batch.axis] = -1;
        }
        self.integers(&sizes)
    }

    pub(super) fn number(&mut self, value: f32) -> String {
        self.tensor(HostTensor::f32(Shape::scalar(), vec![value]))
    }

    pub(super) fn floats(&mut self, shape: &[usize], values: Vec<f32>) -> String {
        self.tensor(HostTensor::f32(shape, values))
    }

    pub(super) fn integers32(&mut self, shape: &[usize], values: Vec<i32>) -> String {
        self.tensor(HostTensor::i32(shape, values))
    }

    /// A tensor whose shape and number of elements agree by construction.
    fn tensor(&mut self, tensor: crate::error::Result<HostTensor>) -> String {
        let tensor = tensor.expect("as many elements as its shape has");
        let name = self.constant_name();
        self.walk.add_tensor(message::stored(&name, &tensor).expect("floats and integers can be stored"));
        name
    }

    fn constant_name(&mut self) -> String {
        self.walk.fresh(&format!("{}/constant", self.node.name))
    }

    /// Adds a second output to the node that was written last, and returns its name.
    pub(super) fn second_output_of_last(&mut self) -> String {
        let name = self.walk.fresh(&format!("{}/indices", self.node.name));
        if let Some(last) = self.walk.nodes.last_mut() {
            last.output.push(name.clone());
        }
        name
    }

    /// Shape of the first input of the node that made input `i`.
    pub(super) fn input_of_maker(&self, i: usize) -> Option<&'g Shape> {
        let graph = self.walk.graph;
        match graph.info(self.node.inputs[i]).source {
            Source::Node { node, .. } => {
                graph.node_at(node).inputs.first().map(|&input| graph.shape_of(input))
            }
            _ => None,
        }
    }

    /// Adds an output to the file's node that made input `i`, and returns its name. `None` unless that node reads what the
    /// graph's node reads.
    pub(super) fn second_output_of(&mut self, i: usize) -> Option<String> {
        let graph = self.walk.graph;
        let Source::Node { node, .. } = graph.info(self.node.inputs[i]).source else { return None };
        let maker = graph.node_at(node);
        let reads = self.walk.made(*maker.inputs.first()?).name.clone();
        let name = self.walk.fresh(&format!("{}/indices", maker.name));
        let written = self.walk.written(node).filter(|written| written.input.first() == Some(&reads))?;
        if written.output.len() == 1 {
            written.output.push(name);
        }
        written.output.get(1).cloned()
    }
}
