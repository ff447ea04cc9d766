//! Reverse-mode differentiation: appends the nodes that compute gradients.
//!
//! The rules themselves stand with the operators (`Operator::backward`).

use super::{Graph, NodeId, Source, Value};
use crate::error::{Error, Result};
use crate::ops::Operator;
use crate::ops::arithmetic::Binary;
use crate::tensor::{DType, HostTensor, Shape};
use std::collections::BTreeSet;
use std::sync::Arc;

/// What an operator's backward rule sees and does.
pub struct BackwardContext<'g> {
    graph: &'g mut Graph,
    node: NodeId,
    output_gradients: Vec<Option<Value>>,
    wanted: Vec<bool>,
    input_gradients: Vec<Option<Value>>,
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

    /// Whether the gradient of input `i` leads to a value that was asked for.
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

impl Graph {
    /// Appends the nodes that compute the gradients of the scalar `loss` by each of `by`.
    /// The answer holds `None` for a value that the loss does not depend on.
    ///
    /// # Errors
    /// A loss that is not an f32 scalar; an operator on the way that has no gradient.
    pub fn gradients(&mut self, loss: Value, by: &[Value]) -> Result<Vec<Option<Value>>> {
        self.check_owned([loss])?;
        let info = self.value(loss)?;
        if info.ty.dtype != DType::F32 || info.ty.shape.elements() != 1 {
            return Err(Error::Graph(format!(
                "the loss must be one f32 number; \"{}\" is {}",
                info.name, info.ty
            )));
        }
        let seed = HostTensor::f32(info.ty.shape.clone(), vec![1.0]);
        let seed = self.constant(seed)?;
        self.gradients_from(&[(loss, seed)], by)
    }

    /// Like [`Graph::gradients`], from given gradients of several outputs.
    ///
    /// # Errors
    /// A gradient whose shape differs from its value's; an operator that has no gradient.
    pub fn gradients_from(&mut self, outputs: &[(Value, Value)], by: &[Value]) -> Result<Vec<Option<Value>>> {
        self.check_owned(outputs.iter().flat_map(|&(value, gradient)| [value, gradient]))?;
        self.check_owned(by.iter().copied())?;
        let mut depends = vec![false; self.values.len()];
        for &value in by {
            depends[value.index] = true;
        }
        for node in &self.nodes {
            if node.inputs.iter().any(|v| depends[v.index]) {
                for output in &node.outputs {
                    depends[output.index] = true;
                }
            }
        }
        let mut gradients: Vec<Option<Value>> = vec![None; self.values.len()];
        for &(value, gradient) in outputs {
            let (expected, found) = (self.info(value), self.info(gradient));
            if expected.ty != found.ty {
                return Err(Error::Graph(format!(
                    "the gradient of \"{}\" must be {}, not {}",
                    expected.name, expected.ty, found.ty
                )));
            }
            gradients[value.index] = Some(gradient);
        }
        for index in (0..self.nodes.len()).rev() {
            let node = &self.nodes[index];
            let wanted: Vec<bool> = node.inputs.iter().map(|v| depends[v.index]).collect();
            let output_gradients: Vec<Option<Value>> =
                node.outputs.iter().map(|v| gradients[v.index]).collect();
            if !wanted.contains(&true) || output_gradients.iter().all(Option::is_none) {
                continue;
            }
            let (operator, inputs) = (Arc::clone(&node.operator), node.inputs.clone());
            let mut cx = BackwardContext {
                node: self.identity.node(index),
                output_gradients,
                wanted,
                input_gradients: vec![None; inputs.len()],
                graph: self,
            };
            operator.backward(&mut cx)?;
            let found = cx.input_gradients;
            let name = self.nodes[index].name.clone();
            for (input, gradient) in inputs.into_iter().zip(found) {
                let Some(gradient) = gradient else { continue };
                gradients[input.index] = Some(match gradients[input.index] {
                    None => gradient,
                    Some(earlier) => {
                        self.apply1_named(name.clone(), Arc::new(Binary::Add), &[earlier, gradient])?
                    }
                });
            }
        }
        Ok(by.iter().map(|v| gradients[v.index]).collect())
    }

    /// The parameters that `loss` depends on, in the order they were declared.
    ///
    /// # Errors
    /// A value of another graph.
    pub fn parameters_of(&self, loss: Value) -> Result<Vec<Value>> {
        let nodes = self.nodes_behind(loss)?;
        let mut reached: BTreeSet<Value> =
            nodes.iter().flat_map(|id| &self.node_at(*id).inputs).copied().collect();
        reached.insert(loss);
        Ok(self.parameters().into_iter().filter(|v| reached.contains(v)).collect())
    }

    /// The nodes that `value` depends on, in order.
    ///
    /// # Errors
    /// A value of another graph.
    pub(super) fn nodes_behind(&self, value: Value) -> Result<BTreeSet<NodeId>> {
        self.check_owned([value])?;
        let mut found = BTreeSet::new();
        let mut open = vec![value];
        while let Some(value) = open.pop() {
            if let Source::Node { node, .. } = self.values[value.index].source
                && found.insert(node)
            {
                open.extend(&self.node_at(node).inputs);
            }
        }
        Ok(found)
    }
}
