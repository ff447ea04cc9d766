//! Reverse-mode differentiation: appends the nodes that compute gradients.
//!
//! The rules themselves stand with the operators (`Operator::backward`).

use crate::error::{Error, Result};
use crate::graph::{Graph, NodeId, Value};
use crate::op::BackwardContext;
use crate::ops::arithmetic::Binary;
use crate::tensor::{DType, HostTensor};
use std::sync::Arc;

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
        let mut depends = vec![false; self.values().len()];
        for &value in by {
            depends[value.index] = true;
        }
        for (_, node) in self.nodes() {
            if node.inputs.iter().any(|v| depends[v.index]) {
                for output in &node.outputs {
                    depends[output.index] = true;
                }
            }
        }
        let mut gradients: Vec<Option<Value>> = vec![None; self.values().len()];
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
        let nodes: Vec<NodeId> = self.nodes().map(|(id, _)| id).collect();
        for id in nodes.into_iter().rev() {
            let node = self.node_at(id);
            let wanted: Vec<bool> = node.inputs.iter().map(|v| depends[v.index]).collect();
            let output_gradients: Vec<Option<Value>> =
                node.outputs.iter().map(|v| gradients[v.index]).collect();
            if !wanted.contains(&true) || output_gradients.iter().all(Option::is_none) {
                continue;
            }
            let (operator, inputs) = (Arc::clone(&node.operator), node.inputs.clone());
            let mut cx = BackwardContext {
                node: id,
                output_gradients,
                wanted,
                input_gradients: vec![None; inputs.len()],
                graph: self,
            };
            operator.backward(&mut cx)?;
            let found = cx.input_gradients;
            let name = self.node_at(id).name.clone();
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
}
