//! The graph: an append-only list of nodes over values. Pure data; no GPU, no kernels.
//!
//! Builder methods for the operators (`Graph::conv2d`, ...) stand in the operators' own files.

mod autodiff;
mod init;
mod print;
mod summary;

pub use autodiff::Backward;
pub use init::{Distribution, Fan, Init, Nonlinearity};
pub use summary::{Summary, SummaryRow};

use crate::error::{Error, Result};
use crate::ops::Operator;
use crate::tensor::{DType, HostTensor, Shape, TensorType};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// A tensor of the graph, by number. Cheap to copy; belongs to the graph that made it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Value {
    pub(crate) index: usize,
    /// Which graph made it, so that a value of another graph is refused and not mistaken.
    graph: u32,
}

/// A node of the graph, by number.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct NodeId(pub(crate) usize);

/// Where a value comes from.
#[derive(Clone, Debug)]
pub enum Source {
    /// Written by the user before a step.
    Input,
    /// The number of the current step, which the session counts.
    StepCounter,
    /// Fixed contents.
    Constant(HostTensor),
    /// Trained; kept in the weights.
    Parameter(Init),
    /// Kept in the weights and changed by the step, not by gradients: running statistics,
    /// optimizer state. `in_state_dict` says whether state dicts hold it; checkpoints hold all state.
    State {
        /// First contents.
        init: Init,
        /// Whether state dicts hold it.
        in_state_dict: bool,
    },
    /// Output `output` of `node`.
    Node {
        /// The node.
        node: NodeId,
        /// Which of its outputs.
        output: usize,
    },
    /// Nothing any more: a plan has no need of it, or makes it within a fused node and keeps it nowhere.
    Dropped,
}

/// What is known of a value.
#[derive(Clone, Debug)]
pub struct ValueInfo {
    /// Name: unique for inputs, parameters and state.
    pub name: String,
    /// Shape and element type.
    pub kind: TensorType,
    /// Where it comes from.
    pub source: Source,
    /// For class labels and indices: how many there are, and the ignored label. Checked before upload.
    pub labels: Option<LabelRange>,
}

/// Which class labels or indices an input may hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LabelRange {
    /// Labels run from 0 to `classes - 1`.
    pub classes: usize,
    /// A label that takes no part in the loss.
    pub ignored: Option<i32>,
}

/// An operator applied to values.
#[derive(Clone, Debug)]
pub struct Node {
    /// Name for errors and printing, unique among nodes of the same operator.
    pub name: String,
    /// What it computes.
    pub operator: Arc<dyn Operator>,
    /// What it reads.
    pub inputs: Vec<Value>,
    /// What it makes.
    pub outputs: Vec<Value>,
}

/// Whether a network is built for training, for evaluation, or for evaluation by draws.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// Batch statistics, dropout on.
    Train,
    /// Running statistics, dropout off.
    Eval,
    /// Running statistics, dropout on: each step draws one of the networks that training averaged over
    /// ([`Graph::monte_carlo`]).
    MonteCarlo,
}

/// A network, its loss, gradients and optimizer updates, as data.
#[derive(Clone, Debug)]
pub struct Graph {
    /// Tells values of one graph from another's; clones share it.
    id: u32,
    values: Vec<ValueInfo>,
    nodes: Vec<Node>,
    scope: Vec<String>,
    names: HashMap<String, Value>,
    node_names: HashMap<(&'static str, String), usize>,
    step_counter: Option<Value>,
    /// By storage: the newest value written in place, and the node that wrote it.
    replaced: HashMap<Value, (Value, NodeId)>,
}

impl Default for Graph {
    fn default() -> Self {
        Graph::new()
    }
}

impl Graph {
    /// An empty graph.
    pub fn new() -> Self {
        static GRAPHS: AtomicU32 = AtomicU32::new(0);
        Graph {
            id: GRAPHS.fetch_add(1, Ordering::Relaxed),
            values: Vec::new(),
            nodes: Vec::new(),
            scope: Vec::new(),
            names: HashMap::new(),
            node_names: HashMap::new(),
            step_counter: None,
            replaced: HashMap::new(),
        }
    }

    /// A float input that the user writes before each step.
    ///
    /// # Errors
    /// A zero-sized shape, or a name that is taken.
    pub fn input(&mut self, name: &str, shape: impl Into<Shape>) -> Result<Value> {
        self.named(name, TensorType::f32(shape), Source::Input)
    }

    /// An input of class labels or other indices (i32), which the user writes before each step: a number
    /// for a batch of that many, or a shape, such as `[n, h, w]` for a label for each pixel.
    ///
    /// # Errors
    /// A zero-sized shape, or a name that is taken.
    pub fn labels(&mut self, name: &str, shape: impl Into<Shape>) -> Result<Value> {
        self.named(name, TensorType::i32(shape), Source::Input)
    }

    /// A float input of one number, such as the learning rate: it changes without rebuilding.
    ///
    /// # Errors
    /// A name that is taken.
    pub fn scalar(&mut self, name: &str) -> Result<Value> {
        self.named(name, TensorType::f32(Shape::scalar()), Source::Input)
    }

    /// Fixed contents, uploaded once.
    ///
    /// # Errors
    /// A zero-sized tensor.
    pub fn constant(&mut self, tensor: HostTensor) -> Result<Value> {
        let kind = tensor.kind();
        self.check_size("constant", "", &kind)?;
        Ok(self.push("constant".into(), kind, Source::Constant(tensor)))
    }

    /// A trained tensor, named after the current scope: `conv1.weight`.
    ///
    /// # Errors
    /// A zero-sized shape, first contents that such a shape can't have, or a name that is taken.
    pub fn parameter(&mut self, name: &str, shape: impl Into<Shape>, init: Init) -> Result<Value> {
        let name = self.scoped_name(name);
        self.named(&name, TensorType::f32(shape), Source::Parameter(init))
    }

    /// A tensor that steps change without a gradient, named after the current scope. Where
    /// `in_state_dict` is set, [`Weights::save`](crate::Weights::save) writes it, as PyTorch's state dicts hold
    /// running statistics; [`Session::save_checkpoint`](crate::Session::save_checkpoint) writes all state.
    ///
    /// # Errors
    /// A zero-sized shape, first contents that such a shape can't have, or a name that is taken.
    pub fn state(
        &mut self,
        name: &str,
        shape: impl Into<Shape>,
        init: Init,
        in_state_dict: bool,
    ) -> Result<Value> {
        let name = self.scoped_name(name);
        self.named(&name, TensorType::f32(shape), Source::State { init, in_state_dict })
    }

    /// The number of the current step (u32 scalar), counted by the session from zero.
    pub fn step_counter(&mut self) -> Value {
        if let Some(value) = self.step_counter {
            return value;
        }
        let value = self.push("step".into(), TensorType::u32(Shape::scalar()), Source::StepCounter);
        self.step_counter = Some(value);
        value
    }

    /// The step counter, if anything asked for it.
    pub(crate) fn counted_steps(&self) -> Option<Value> {
        self.step_counter
    }

    /// Runs `build` with `name` added to the scope that names nodes and parameters.
    pub fn scoped<T>(&mut self, name: &str, build: impl FnOnce(&mut Graph) -> T) -> T {
        self.scope.push(name.to_owned());
        let result = build(self);
        self.scope.pop();
        result
    }

    /// Runs `build` outside every scope, for names that are whole already.
    pub(crate) fn unscoped<T>(&mut self, build: impl FnOnce(&mut Graph) -> T) -> T {
        let scope = std::mem::take(&mut self.scope);
        let result = build(self);
        self.scope = scope;
        result
    }

    /// Appends a node named after the current scope and returns its outputs.
    ///
    /// # Errors
    /// The operator's shape rule, with the node's name; a value of another graph.
    pub fn apply(&mut self, operator: impl Operator + 'static, inputs: &[Value]) -> Result<Vec<Value>> {
        let name = self.scope.join(".");
        self.apply_named(name, Arc::new(operator), inputs)
    }

    /// Like [`Graph::apply`], for an operator with one output.
    ///
    /// # Errors
    /// As [`Graph::apply`].
    pub fn apply1(&mut self, operator: impl Operator + 'static, inputs: &[Value]) -> Result<Value> {
        let outputs = self.apply(operator, inputs)?;
        assert_eq!(outputs.len(), 1, "apply1 is for operators with one output");
        Ok(outputs[0])
    }

    /// Appends a node of this name and returns its outputs.
    ///
    /// # Errors
    /// As [`Graph::apply`].
    pub fn apply_named(
        &mut self,
        name: String,
        operator: Arc<dyn Operator>,
        inputs: &[Value],
    ) -> Result<Vec<Value>> {
        let name = self.unique_node_name(operator.name(), name);
        let error = |message: String| Error::Node {
            operator: operator.name().to_owned(),
            node: name.clone(),
            message,
        };
        for &input in inputs {
            if !self.owns(input) {
                return Err(error("an input value belongs to another graph".into()));
            }
            if let Some(newer) = self.replaced_by(input) {
                return Err(error(format!(
                    "input \"{}\" was updated in place by \"{}\" earlier in the graph; read it before the update",
                    self.values[input.index].name, self.nodes[newer.0].name
                )));
            }
        }
        let kinds: Vec<&TensorType> = inputs.iter().map(|v| &self.values[v.index].kind).collect();
        let outputs = operator.infer(&kinds).map_err(error)?;
        for kind in &outputs {
            self.check_size(operator.name(), &name, kind)?;
        }
        let node = NodeId(self.nodes.len());
        let values = outputs
            .into_iter()
            .enumerate()
            .map(|(output, kind)| {
                let name = if output == 0 { name.clone() } else { format!("{name}:{output}") };
                self.push(name, kind, Source::Node { node, output })
            })
            .collect::<Vec<_>>();
        for (output, input) in operator.in_place() {
            self.replaced.insert(self.storage(inputs[input]), (values[output], node));
        }
        self.nodes.push(Node { name, operator, inputs: inputs.to_vec(), outputs: values.clone() });
        Ok(values)
    }

    /// The same values under other nodes, in this order: a plan's rewriting. Values that no node
    /// makes any more are [`Source::Dropped`].
    pub(crate) fn with_nodes(mut self, nodes: Vec<Node>) -> Graph {
        for info in &mut self.values {
            if matches!(info.source, Source::Node { .. }) {
                info.source = Source::Dropped;
            }
        }
        for (i, node) in nodes.iter().enumerate() {
            for (output, value) in node.outputs.iter().enumerate() {
                self.values[value.index].source = Source::Node { node: NodeId(i), output };
            }
        }
        self.nodes = nodes;
        self
    }

    /// A value that a node of [`Graph::with_nodes`] is going to make.
    pub(crate) fn reserve(&mut self, name: String, kind: TensorType) -> Value {
        self.push(name, kind, Source::Dropped)
    }

    /// Restricts an input of class labels to `0..classes` and `ignored`, so that a session can
    /// refuse others before upload. Does nothing for labels that are not an input.
    pub(crate) fn restrict_labels(&mut self, labels: Value, classes: usize, ignored: i32) {
        self.values[labels.index].labels = Some(LabelRange { classes, ignored: Some(ignored) });
    }

    /// Restricts an input of indices to `0..rows`, beside what labels it may hold.
    pub(crate) fn restrict_indices(&mut self, indices: Value, rows: usize) {
        let labels = &mut self.values[indices.index].labels;
        let classes = labels.map_or(rows, |range| range.classes.min(rows));
        *labels = Some(LabelRange { classes, ignored: None });
    }

    /// What is known of a value.
    ///
    /// # Panics
    /// If the value belongs to another graph.
    pub fn value(&self, value: Value) -> &ValueInfo {
        assert!(self.owns(value), "the value belongs to another graph");
        &self.values[value.index]
    }

    /// Whether this graph, or the graph it was cloned from, made the value.
    pub fn owns(&self, value: Value) -> bool {
        value.graph == self.id && value.index < self.values.len()
    }

    /// An error unless the graph owns all of `values`.
    pub(crate) fn check_owned(&self, values: impl IntoIterator<Item = Value>) -> Result<()> {
        if values.into_iter().all(|value| self.owns(value)) {
            return Ok(());
        }
        Err(Error::Graph(
            "a value of another graph was given; values belong to the graph that made them".into(),
        ))
    }

    /// Shape of a value.
    ///
    /// # Panics
    /// If the value belongs to another graph.
    pub fn shape(&self, value: Value) -> &Shape {
        &self.value(value).kind.shape
    }

    /// All values, in the order they were made.
    pub fn values(&self) -> impl Iterator<Item = (Value, &ValueInfo)> {
        self.values.iter().enumerate().map(|(i, info)| (Value { index: i, graph: self.id }, info))
    }

    /// All nodes, in the order in which a step runs them.
    pub fn nodes(&self) -> impl Iterator<Item = (NodeId, &Node)> {
        self.nodes.iter().enumerate().map(|(i, node)| (NodeId(i), node))
    }

    /// A node by number.
    pub fn node(&self, node: NodeId) -> &Node {
        &self.nodes[node.0]
    }

    /// The input, parameter or state of this name.
    pub fn find(&self, name: &str) -> Option<Value> {
        self.names.get(name).copied()
    }

    /// The parameters, in the order they were declared.
    pub fn parameters(&self) -> Vec<Value> {
        self.values()
            .filter(|(_, info)| matches!(info.source, Source::Parameter(_)))
            .map(|(value, _)| value)
            .collect()
    }

    /// The value whose storage this one shares through views, or itself.
    pub(crate) fn storage(&self, value: Value) -> Value {
        match self.values[value.index].source {
            Source::Node { node, output } => {
                let node = &self.nodes[node.0];
                if node.operator.is_view() {
                    return self.storage(node.inputs[0]);
                }
                match node.operator.in_place().into_iter().find(|&(out, _)| out == output) {
                    Some((_, input)) => self.storage(node.inputs[input]),
                    None => value,
                }
            }
            _ => value,
        }
    }

    /// The node that replaced this value's storage with a newer value, if one did.
    fn replaced_by(&self, value: Value) -> Option<NodeId> {
        let &(newest, node) = self.replaced.get(&self.storage(value))?;
        (value < newest).then_some(node)
    }

    /// An error of an operator before it has a node, named after the current scope as the node would be.
    pub(crate) fn refusal(&self, operator: &str, message: String) -> Error {
        let scope = self.scope.join(".");
        let node = if scope.is_empty() { operator.to_owned() } else { scope };
        Error::Node { operator: operator.to_owned(), node, message }
    }

    pub(crate) fn scoped_name(&self, name: &str) -> String {
        let mut parts: Vec<&str> = self.scope.iter().map(String::as_str).collect();
        parts.push(name);
        parts.join(".")
    }

    fn unique_node_name(&mut self, operator: &'static str, name: String) -> String {
        let base = if name.is_empty() { operator.to_owned() } else { name };
        let count = self.node_names.entry((operator, base.clone())).or_insert(0);
        *count += 1;
        if *count == 1 { base } else { format!("{base}#{count}") }
    }

    fn named(&mut self, name: &str, kind: TensorType, source: Source) -> Result<Value> {
        let what = match source {
            Source::Parameter(_) => "parameter",
            Source::State { .. } => "state",
            _ => "input",
        };
        self.check_size(what, name, &kind)?;
        if let Source::Parameter(init) | Source::State { init, .. } = &source {
            init.check(&kind.shape).map_err(|message| Error::Node {
                operator: what.to_owned(),
                node: name.to_owned(),
                message,
            })?;
        }
        if let Some(&existing) = self.names.get(name) {
            return Err(Error::Graph(format!(
                "{what} \"{name}\" {kind} takes a name that \"{name}\" {} has already; give each its own name or scope",
                self.values[existing.index].kind
            )));
        }
        let value = self.push(name.to_owned(), kind, source);
        self.names.insert(name.to_owned(), value);
        Ok(value)
    }

    fn check_size(&self, operator: &str, node: &str, kind: &TensorType) -> Result<()> {
        let error = |message: String| {
            Err(Error::Node { operator: operator.to_owned(), node: node.to_owned(), message })
        };
        if kind.shape.elements() == 0 {
            return error(format!("shape {} has no elements; every size must be at least 1", kind.shape));
        }
        // Kernels index with u32 and i32.
        if kind.shape.elements() > i32::MAX as usize {
            return error(format!(
                "shape {} has {} elements; a tensor holds at most {}",
                kind.shape,
                kind.shape.elements(),
                i32::MAX
            ));
        }
        Ok(())
    }

    fn push(&mut self, name: String, kind: TensorType, source: Source) -> Value {
        debug_assert!(kind.dtype == DType::F32 || !matches!(source, Source::Parameter(_)));
        self.values.push(ValueInfo { name, kind, source, labels: None });
        Value { index: self.values.len() - 1, graph: self.id }
    }
}
