//! Reverse-mode differentiation: appends the nodes that compute gradients.
//!
//! The rules themselves are in the operators' files (`Operator::backward`).

use crate::error::{Error, Result};
use crate::graph::{Graph, NodeId, Value};
use crate::op::BackwardContext;
use crate::ops::arithmetic::Binary;
use crate::tensor::{DType, HostTensor};
use std::sync::Arc;

impl Graph {
    /// Appends the nodes that compute the gradients of the scalar `loss` by each of `by`. The result holds `None` for
    /// a value that the loss does not depend on, or through comparisons and conditions alone, which have no gradient.
    ///
    /// A parameter or state that was updated in place counts as one value with its old contents: its gradient is the
    /// sum over all of its values that the loss depends on. Updates themselves have no gradient, as in PyTorch: none
    /// flows through an optimizer's step or into the batches behind running statistics.
    ///
    /// ```
    /// # fn main() -> wgrad::Result<()> {
    /// use wgrad::Graph;
    ///
    /// let mut g = Graph::new();
    /// let (x, y) = (g.input("x", [3])?, g.input("y", [3])?);
    /// let product = g.mul(x, x)?;
    /// let loss = g.sum(product, &[], false)?;
    /// let gradients = g.gradients(loss, &[x, y])?;
    /// assert!(gradients[0].is_some()); // 2 x
    /// assert!(gradients[1].is_none()); // the loss does not depend on y
    /// # Ok(())
    /// # }
    /// ```
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
        let seed = HostTensor::f32(info.ty.shape.clone(), vec![1.0])?;
        let seed = self.constant(seed)?;
        self.gradients_from(&[(loss, seed)], by)
    }

    /// Appends the gradients of the scalar `loss` by every parameter that it depends on and that is not
    /// [frozen](Graph::frozen), and returns pairs of parameter and gradient: PyTorch's `loss.backward()`. [`Optimizer::apply`](crate::optim::Optimizer::apply)
    /// takes them, and several optimizers can share them.
    ///
    /// ```
    /// # fn main() -> wgrad::Result<()> {
    /// use wgrad::{Graph, Mode, nn, nn::Layer, optim};
    ///
    /// let net = nn::Linear::new(4, 1);
    /// let mut g = Graph::new();
    /// let (x, t) = (g.input("x", [8, 4])?, g.input("t", [8, 1])?);
    /// let y = net.forward(&mut g, x, Mode::Train)?;
    /// let loss = g.mse_loss(y, t)?;
    /// let gradients = g.backward(loss)?; // of weight and bias
    /// assert_eq!(gradients.len(), 2);
    /// let rate = g.input_scalar("rate")?;
    /// optim::Sgd::new(rate).apply(&mut g, &gradients)?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Graph::gradients`].
    pub fn backward(&mut self, loss: Value) -> Result<Vec<(Value, Value)>> {
        let mut parameters = self.parameters_of(loss)?;
        parameters.retain(|&parameter| !self.is_frozen(parameter));
        let gradients = self.gradients(loss, &parameters)?;
        Ok(parameters.into_iter().zip(gradients).filter_map(|(p, g)| Some((p, g?))).collect())
    }

    /// Like [`Graph::gradients`], starting from given gradients of several outputs.
    ///
    /// # Errors
    /// A gradient whose shape differs from its value's; an operator that has no gradient.
    pub fn gradients_from(&mut self, outputs: &[(Value, Value)], by: &[Value]) -> Result<Vec<Option<Value>>> {
        self.check_owned(outputs.iter().flat_map(|&(value, gradient)| [value, gradient]))?;
        self.check_owned(by.iter().copied())?;
        let origins = self.origins();
        let by: Vec<usize> = by.iter().map(|&value| origins.of(value)).collect();
        let mut depends = vec![false; self.values().len()];
        for &value in &by {
            depends[value] = true;
        }
        for (_, node) in self.nodes() {
            if node.inputs.iter().any(|&v| depends[origins.of(v)]) {
                for output in node.outputs.iter().filter(|v| !origins.is_update(**v)) {
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
            gradients[origins.of(value)] = Some(gradient);
        }
        let nodes: Vec<NodeId> = self.nodes().map(|(id, _)| id).collect();
        for id in nodes.into_iter().rev() {
            let node = self.node_at(id);
            let wanted: Vec<bool> = node.inputs.iter().map(|&v| depends[origins.of(v)]).collect();
            let of_output = |v: &Value| if origins.is_update(*v) { None } else { gradients[v.index] };
            let output_gradients: Vec<Option<Value>> = node.outputs.iter().map(of_output).collect();
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
                let input = origins.of(input);
                gradients[input] = Some(match gradients[input] {
                    None => gradient,
                    Some(earlier) => {
                        self.apply1_named(name.clone(), Arc::new(Binary::Add), &[earlier, gradient])?
                    }
                });
            }
        }
        Ok(by.iter().map(|&v| gradients[v]).collect())
    }
}
