//! What an operator's handler sees: the node's inputs as values, constants or parameters, its attributes, and the graph.

use super::{Held, Outcome, PLACES, Problem, Walk, scope_of};
use crate::file::printable;
use crate::graph::{Graph, Mode, Value};
use crate::onnx::attributes::Attributes;
use crate::onnx::constant;
use crate::onnx::proto::NodeProto;
use crate::onnx::tensor::Tensor;
use crate::tensor::{DType, HostTensor, Shape};
use std::sync::Arc;

pub(in crate::onnx) struct Node<'w, 'm, 'g> {
    walk: &'w mut Walk<'m, 'g>,
    node: &'m NodeProto,
    pub attributes: Attributes<'m>,
}

impl<'w, 'm, 'g> Node<'w, 'm, 'g> {
    pub(super) fn new(walk: &'w mut Walk<'m, 'g>, node: &'m NodeProto) -> Self {
        Node { walk, node, attributes: Attributes::new(node) }
    }

    pub(super) fn opset(&self) -> i64 {
        self.walk.contents.opset
    }

    pub(super) fn operator(&self) -> &'m str {
        self.node.op_type.as_deref().unwrap_or("")
    }

    pub(super) fn mode(&self) -> Mode {
        self.walk.mode
    }

    /// A seed that other nodes don't have.
    pub(super) fn seed(&self) -> u64 {
        self.walk.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(self.walk.at as u64)
    }

    pub(super) fn g(&mut self) -> &mut Graph {
        self.walk.graph
    }

    /// Runs `build` with the node's name as the scope.
    pub(super) fn scoped<T>(&mut self, build: impl FnOnce(&mut Self) -> T) -> T {
        self.walk.graph.enter(scope_of(self.node));
        let result = build(self);
        self.walk.graph.leave();
        result
    }

    /// Runs `declare` outside the node's scope, for names that the file gives.
    fn unscoped<T>(&mut self, declare: impl FnOnce(&mut Walk<'m, 'g>) -> T) -> T {
        self.walk.graph.leave();
        let result = declare(self.walk);
        self.walk.graph.enter(scope_of(self.node));
        result
    }

    /// Number of inputs, with those that are left out between others.
    pub(super) fn count(&self) -> usize {
        self.node.input.len()
    }

    pub(super) fn has(&self, i: usize) -> bool {
        self.node.input.get(i).is_some_and(|name| !name.is_empty())
    }

    /// Whether somebody may read this output.
    pub(super) fn wants(&self, output: usize) -> bool {
        self.node.output.get(output).is_some_and(|name| !name.is_empty())
    }

    /// Number of outputs.
    pub(super) fn outputs(&self) -> usize {
        self.node.output.len()
    }

    pub(super) fn held(&self, i: usize) -> Outcome<Held> {
        if !self.has(i) {
            return Err(format!("input {i} is missing").into());
        }
        let name = self.node.input[i].as_str();
        self.walk
            .held
            .get(name)
            .cloned()
            .ok_or_else(|| format!("input \"{}\" is made by no node", printable(name)).into())
    }

    /// An input as floats in the graph. Initialisers of several elements are parameters.
    pub(super) fn value(&mut self, i: usize) -> Outcome<Value> {
        match self.held(i)? {
            Held::Weight(number) if self.walk.weights[number].folds => {
                let tensor = Arc::clone(&self.walk.weights[number].tensor);
                self.constant(&tensor)
            }
            Held::Weight(number) => self.unscoped(|walk| walk.parameter(number)),
            Held::Host(tensor) => self.constant(&tensor),
            Held::Value(value) => self.floats(i, value),
            Held::Indices(_) => Err(PLACES.into()),
            Held::Failed(message) => Err(Problem(message)),
        }
    }

    /// An input that is a weight of its operator, so that an initialiser is a parameter even with a single element.
    pub(super) fn weight(&mut self, i: usize) -> Outcome<Value> {
        match self.held(i)? {
            Held::Weight(number) if !self.walk.weights[number].fixed => {
                self.unscoped(|walk| walk.parameter(number))
            }
            _ => self.value(i),
        }
    }

    /// An input that training changes without a gradient.
    pub(super) fn state(&mut self, i: usize) -> Outcome<Value> {
        match self.held(i)? {
            Held::Weight(number) => self.unscoped(|walk| walk.state(number)),
            Held::Host(tensor) if tensor.any_floats().is_some() => {
                let name = self.node.input[i].as_str();
                let Held::Weight(number) = self.walk.new_weight(name, tensor, false) else {
                    unreachable!("new weights are weights");
                };
                self.walk.held.insert(name, Held::Weight(number));
                self.unscoped(|walk| walk.state(number))
            }
            _ => self.value(i),
        }
    }

    pub(super) fn maybe_weight(&mut self, i: usize) -> Outcome<Option<Value>> {
        if self.has(i) { self.weight(i).map(Some) } else { Ok(None) }
    }

    fn floats(&self, i: usize, value: Value) -> Outcome<Value> {
        match self.walk.graph.info(value).ty.dtype {
            DType::F32 => Ok(value),
            found => Err(format!("input {i} must be floats, found {found}").into()),
        }
    }

    /// A constant of the graph.
    pub(super) fn constant(&mut self, tensor: &Tensor) -> Outcome<Value> {
        match tensor.any_floats() {
            Some(_) => Ok(self.walk.graph.constant(tensor.to_host()?)?),
            None => Err(format!("expected floats, found {}{}", tensor.element, tensor.shape).into()),
        }
    }

    /// Fails if constants of so many more elements are more than an import may make.
    pub(super) fn afford(&mut self, elements: usize) -> Outcome<()> {
        Ok(self.walk.budget.ask(elements)?)
    }

    /// A constant of the graph from floats.
    pub(super) fn numbers(&mut self, shape: impl Into<Shape>, data: Vec<f32>) -> Outcome<Value> {
        Ok(self.walk.graph.constant(HostTensor::f32(shape, data)?)?)
    }

    /// An input that has to be known when the network is built.
    pub(super) fn host(&self, i: usize) -> Outcome<Arc<Tensor>> {
        match self.held(i)? {
            Held::Host(tensor) => Ok(tensor),
            Held::Weight(number) => Ok(Arc::clone(&self.walk.weights[number].tensor)),
            Held::Value(_) => Err(format!(
                "input {i} \"{}\" is computed while the network runs, and has to be known before; fix the inputs that it depends on with Import::constant",
                printable(&self.node.input[i])
            )
            .into()),
            Held::Indices(_) => Err(PLACES.into()),
            Held::Failed(message) => Err(Problem(message)),
        }
    }

    pub(super) fn maybe_host(&self, i: usize) -> Outcome<Option<Arc<Tensor>>> {
        if self.has(i) { self.host(i).map(Some) } else { Ok(None) }
    }

    /// A known input of integers.
    pub(super) fn maybe_ints(&self, i: usize) -> Outcome<Option<Vec<i64>>> {
        let Some(tensor) = self.maybe_host(i)? else { return Ok(None) };
        match tensor.as_ints() {
            Some(ints) => Ok(Some(ints.to_vec())),
            None => Err(format!("input {i} must be integers, found {}", tensor.element).into()),
        }
    }

    /// A known input of one number.
    pub(super) fn maybe_number(&self, i: usize) -> Outcome<Option<f32>> {
        let Some(tensor) = self.maybe_host(i)? else { return Ok(None) };
        match tensor.to_f64()[..] {
            [number] => Ok(Some(number as f32)),
            _ => Err(format!("input {i} must be one number, found shape {}", tensor.shape).into()),
        }
    }

    /// The contents of an input that is known and no parameter.
    pub(super) fn known(&self, i: usize) -> Outcome<Option<Arc<Tensor>>> {
        Ok(match self.held(i)? {
            Held::Host(tensor) => Some(tensor),
            Held::Weight(number) => {
                let weight = &self.walk.weights[number];
                weight.folds.then(|| Arc::clone(&weight.tensor))
            }
            _ => None,
        })
    }

    /// The number that an input holds, if it is known and only one.
    pub(super) fn single(&self, i: usize) -> Option<f32> {
        let tensor = self.known(i).ok()??;
        tensor.any_floats().filter(|_| tensor.elements() == 1).map(|floats| floats.at(0) as f32)
    }

    pub(super) fn shape(&self, i: usize) -> Outcome<Shape> {
        Ok(match self.held(i)? {
            Held::Host(tensor) => tensor.shape.clone(),
            Held::Weight(number) => self.walk.weights[number].tensor.shape.clone(),
            Held::Value(value) => self.walk.graph.shape_of(value).clone(),
            Held::Indices(_) => return Err(PLACES.into()),
            Held::Failed(message) => return Err(Problem(message)),
        })
    }

    pub(super) fn shape_of(&self, value: Value) -> Shape {
        self.walk.graph.shape_of(value).clone()
    }

    /// A weight that is not in the file as it is, such as a dequantised one.
    pub(super) fn new_weight(&mut self, input: usize, tensor: Tensor) -> Held {
        let name = self.node.input[input].clone();
        self.walk.new_weight(&name, Arc::new(tensor), false)
    }

    /// The results, if all inputs are known and the operator is one that constants are folded by.
    pub(super) fn folded(&mut self, operator: &str) -> Option<Outcome<Vec<Held>>> {
        if !constant::is_known(operator) {
            return None;
        }
        let mut inputs = Vec::with_capacity(self.count());
        for i in 0..self.count() {
            inputs.push(match self.has(i).then(|| self.held(i)) {
                None => None,
                Some(Ok(Held::Host(tensor))) => Some(tensor),
                Some(Ok(Held::Weight(number))) if self.walk.weights[number].folds => {
                    Some(Arc::clone(&self.walk.weights[number].tensor))
                }
                // Only its size matters.
                Some(Ok(Held::Value(_) | Held::Weight(_))) if matches!(operator, "Shape" | "Size") => None,
                Some(_) => return None,
            });
        }
        let shape = self.shape(0).ok();
        let inputs: Vec<Option<&Tensor>> = inputs.iter().map(Option::as_deref).collect();
        let call = constant::Call {
            operator,
            attributes: &self.attributes,
            inputs: &inputs,
            shape: shape.as_ref(),
            outputs: self.outputs(),
        };
        let made =
            call.fold(&mut self.walk.budget).and_then(|made| self.attributes.check_all_read().map(|()| made));
        Some(
            made.map(|made| made.into_iter().map(|tensor| Held::Host(Arc::new(tensor))).collect())
                .map_err(Problem),
        )
    }
}

/// One value.
pub(super) fn one(value: Value) -> Vec<Held> {
    vec![Held::Value(value)]
}
