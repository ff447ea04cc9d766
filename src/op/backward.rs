//! The context of a backward rule. The rules are in the operators' files, the walk over the graph in `autodiff`.

use super::Operator;
use crate::error::{Error, Result};
use crate::graph::{Graph, NodeId, Value};
use crate::tensor::Shape;
use std::fmt;
use std::sync::Arc;

/// A node and its gradients, as an operator's backward rule sees them. The rule appends nodes and sets the inputs'
/// gradients.
pub struct BackwardContext<'g> {
    pub(crate) graph: &'g mut Graph,
    pub(crate) node: NodeId,
    pub(crate) output_gradients: Vec<Option<Value>>,
    pub(crate) wanted: Vec<bool>,
    pub(crate) input_gradients: Vec<Option<Value>>,
}

impl fmt::Debug for BackwardContext<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BackwardContext").field("node", self.graph.node_at(self.node)).finish_non_exhaustive()
    }
}

impl BackwardContext<'_> {
    /// Number of inputs of the node.
    pub fn inputs(&self) -> usize {
        self.graph.node_at(self.node).inputs.len()
    }

    /// Input `i` of the node.
    pub fn input(&self, i: usize) -> Value {
        self.graph.node_at(self.node).inputs[i]
    }

    /// Output `i` of the node.
    pub fn output(&self, i: usize) -> Value {
        self.graph.node_at(self.node).outputs[i]
    }

    /// Shape of a value of this graph, such as an input, an output or what [`BackwardContext::apply`] returned.
    ///
    /// # Panics
    /// If the value belongs to another graph.
    pub fn shape(&self, value: Value) -> Shape {
        assert!(self.graph.owns(value), "a backward rule asked for the shape of another graph's value");
        self.graph.shape_of(value).clone()
    }

    /// Gradient of the loss by output `i`.
    ///
    /// # Errors
    /// If nothing that leads to the loss reads that output.
    pub fn output_gradient(&self, i: usize) -> Result<Value> {
        self.output_gradients[i].ok_or_else(|| self.error(&format!("output {i} has no gradient")))
    }

    /// Whether the gradient of input `i` is needed.
    pub fn wants(&self, i: usize) -> bool {
        self.wanted[i]
    }

    /// Appends a node named after this one and returns its outputs.
    ///
    /// # Errors
    /// The operator's shape rule.
    pub fn apply(&mut self, operator: impl Operator + 'static, inputs: &[Value]) -> Result<Vec<Value>> {
        let name = self.graph.node_at(self.node).name.clone();
        self.graph.apply_named(name, Arc::new(operator), inputs)
    }

    /// Like [`BackwardContext::apply`], for an operator with one output.
    ///
    /// # Errors
    /// The operator's shape rule; an operator with another number of outputs.
    pub fn apply1(&mut self, operator: impl Operator + 'static, inputs: &[Value]) -> Result<Value> {
        let name = self.graph.node_at(self.node).name.clone();
        self.graph.apply1_named(name, Arc::new(operator), inputs)
    }

    /// States the gradient of input `i`.
    pub fn set(&mut self, i: usize, gradient: Value) {
        self.input_gradients[i] = Some(gradient);
    }

    /// An error that names the node.
    pub fn error(&self, message: &str) -> Error {
        let node = &self.graph.node_at(self.node);
        Error::Node {
            operator: node.operator.name().to_owned(),
            node: node.name.clone(),
            message: message.to_owned(),
        }
    }
}
