//! The graph: an append-only list of nodes over values. Pure data; no GPU, no kernels.
//!
//! Builder methods for the operators (`Graph::conv2d`, ...) are in the operators' own files.

mod apply;
mod declare;
mod dependencies;
mod freeze;
mod identity;
mod init;
mod labels;
mod layer;
mod print;
mod summary;
mod synchronize;
mod updates;

pub use identity::{NodeId, Value};
pub use init::{Distribution, Fan, Init, Nonlinearity};
pub use labels::{Ignored, LabelRange, LabelRanges};
pub use layer::LayerId;
pub use summary::{Summary, SummaryRow};
pub(crate) use synchronize::Synchronizing;

use crate::error::{Error, Result};
use crate::op::Operator;
use crate::tensor::{DType, HostTensor, Shape, TensorType};
use identity::Identity;
use layer::Application;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// The source of a value.
#[derive(Clone, Debug)]
#[non_exhaustive]
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
        /// Initial values.
        init: Init,
        /// Whether state dicts hold it.
        in_state_dict: bool,
    },
    /// Output `output` of `node`.
    Node {
        /// The node.
        node: NodeId,
        /// The output's number.
        output: usize,
    },
    /// Nothing any more: the plan does not need it, or computes it within a fused node and stores it nowhere.
    Dropped,
}

/// What is known of a value.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ValueInfo {
    /// Name: unique for inputs, parameters and state.
    pub name: String,
    /// Shape and element type.
    pub ty: TensorType,
    /// Its source.
    pub source: Source,
    /// For class labels and indices: the range that their readers permit. Checked before upload.
    pub labels: LabelRanges,
    /// Number of the value whose storage it shares through views and updates in place, or its own.
    storage: usize,
}

/// An operator applied to values.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Node {
    /// Name for errors and printing, unique among nodes of the same operator.
    pub name: String,
    /// Its operator.
    pub operator: Arc<dyn Operator>,
    /// The values that it reads.
    pub inputs: Vec<Value>,
    /// The values that it makes.
    pub outputs: Vec<Value>,
}

/// Whether a network is built for training, for evaluation, or for Monte-Carlo evaluation.
///
/// ```
/// # fn main() -> wgrad::Result<()> {
/// use wgrad::{Graph, Mode, nn, nn::Layer};
///
/// let net = nn::Sequential::new().add("bn", nn::BatchNorm::new(3)).add("drop", nn::Dropout::new(0.5));
/// for mode in [Mode::Train, Mode::Eval] {
///     let mut g = Graph::new();
///     let x = g.input("x", [8, 3])?;
///     let y = net.forward(&mut g, x, mode)?;
///     // Evaluation neither updates statistics nor drops anything.
///     assert_eq!(g.nodes().count(), if mode == Mode::Train { 2 } else { 1 });
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Mode {
    /// Batch statistics, dropout on.
    Train,
    /// Running statistics, dropout off.
    Eval,
    /// Running statistics, dropout on: each step samples one of the networks that training averaged over
    /// ([`Graph::monte_carlo`]).
    MonteCarlo,
    /// Running statistics, and dropout by masks that the steps enumerate: for the exact average over all of them, in
    /// networks with few units to drop ([`Graph::mean_over_masks`]).
    EveryMask,
    /// Batch statistics, dropout off, and running statistics that become plain averages over the steps of the session's
    /// weights: what batch norm's statistics are over a whole data set.
    Population,
}

/// A network, its loss, gradients and optimizer updates, as data.
///
/// A clone is independent: both graphs have the original's values and nodes, and neither sees what is added to the
/// other later.
///
/// ```
/// # fn main() -> wgrad::Result<()> {
/// use wgrad::{Graph, Mode, nn, nn::Layer, optim};
///
/// let net = nn::Sequential::new().add("fc", nn::Linear::new(4, 2));
/// let mut g = Graph::new();
/// let x = g.input("x", [8, 4])?;
/// let labels = g.input_i32("labels", 8)?;
/// let logits = net.forward(&mut g, x, Mode::Train)?;
/// let loss = g.cross_entropy(logits, labels)?;
/// let rate = g.input_scalar("rate")?;
/// optim::Sgd::new(rate).minimize(&mut g, loss)?;
/// println!("{g}"); // one line for each value that is no node's, and for each node
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Graph {
    identity: Identity,
    values: Vec<ValueInfo>,
    nodes: Vec<Node>,
    scope: Vec<String>,
    names: HashMap<String, Value>,
    node_names: HashMap<(&'static str, String), usize>,
    /// Nodes of each operator.
    counts: HashMap<&'static str, usize>,
    step_counter: Option<Value>,
    /// By storage: the newest value written in place, and the node that wrote it.
    replaced: HashMap<usize, (usize, usize)>,
    /// The application of a layer that is being built.
    application: Option<Application>,
    /// Number of applications of layers so far.
    applications: u64,
    /// For parameters and state of layers: the last application that declared them.
    declared_by: HashMap<Value, Application>,
    /// Whether parameters that are declared now are frozen.
    freezing: bool,
    /// Whether batch norms that are built now keep their running statistics.
    keeping_statistics: bool,
    /// Whether batch norms that are built now share their statistics.
    synchronizing: Option<Synchronizing>,
    /// The frozen parameters.
    frozen: HashSet<Value>,
    /// The masks of dropouts in [`Mode::EveryMask`].
    pub(crate) masks: Vec<Mask>,
}

/// An input that holds a dropout's mask.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Mask {
    /// Zero for units that are dropped, the reciprocal of `keep` for the others.
    pub input: Value,
    pub units: usize,
    /// Probability that a unit is kept.
    pub keep: f32,
}

impl Clone for Graph {
    fn clone(&self) -> Self {
        Graph {
            identity: self.identity.of_clone(self.values.len(), self.nodes.len()),
            values: self.values.clone(),
            nodes: self.nodes.clone(),
            scope: self.scope.clone(),
            names: self.names.clone(),
            node_names: self.node_names.clone(),
            counts: self.counts.clone(),
            step_counter: self.step_counter,
            replaced: self.replaced.clone(),
            application: self.application,
            applications: self.applications,
            declared_by: self.declared_by.clone(),
            freezing: self.freezing,
            keeping_statistics: self.keeping_statistics,
            synchronizing: self.synchronizing,
            frozen: self.frozen.clone(),
            masks: self.masks.clone(),
        }
    }
}

impl Default for Graph {
    fn default() -> Self {
        Graph::new()
    }
}

impl Graph {
    /// An empty graph.
    pub fn new() -> Self {
        Graph {
            identity: Identity::new(),
            values: Vec::new(),
            nodes: Vec::new(),
            scope: Vec::new(),
            names: HashMap::new(),
            node_names: HashMap::new(),
            counts: HashMap::new(),
            step_counter: None,
            replaced: HashMap::new(),
            application: None,
            applications: 0,
            declared_by: HashMap::new(),
            freezing: false,
            keeping_statistics: false,
            synchronizing: None,
            frozen: HashSet::new(),
            masks: Vec::new(),
        }
    }

    /// The step counter, if it is used.
    pub(crate) fn counted_steps(&self) -> Option<Value> {
        self.step_counter
    }

    /// Runs `build` with `name` added to the scope, the prefix of names of nodes and parameters.
    ///
    /// ```
    /// # fn main() -> wgrad::Result<()> {
    /// use wgrad::graph::Init;
    /// use wgrad::Graph;
    ///
    /// let mut g = Graph::new();
    /// g.scoped("encoder", |g| g.scoped("fc", |g| g.parameter("weight", [4, 4], Init::Constant(0.0))))?;
    /// assert!(g.find("encoder.fc.weight").is_some());
    /// # Ok(())
    /// # }
    /// ```
    pub fn scoped<T>(&mut self, name: &str, build: impl FnOnce(&mut Graph) -> T) -> T {
        self.enter(name);
        let result = build(self);
        self.leave();
        result
    }

    /// Adds a name to the scope, until [`Graph::leave`].
    pub(crate) fn enter(&mut self, name: &str) {
        self.scope.push(name.to_owned());
    }

    pub(crate) fn leave(&mut self) {
        self.scope.pop();
    }

    /// Runs `build` outside every scope and layer, for names that are complete already.
    pub(crate) fn unscoped<T>(&mut self, build: impl FnOnce(&mut Graph) -> T) -> T {
        let (scope, application) = (std::mem::take(&mut self.scope), self.application.take());
        let result = build(self);
        (self.scope, self.application) = (scope, application);
        result
    }

    /// What is known of a value.
    ///
    /// # Errors
    /// A value of another graph.
    pub fn value(&self, value: Value) -> Result<&ValueInfo> {
        self.check_owned([value])?;
        Ok(self.info(value))
    }

    /// Shape of a value.
    ///
    /// # Errors
    /// A value of another graph.
    pub fn shape(&self, value: Value) -> Result<&Shape> {
        Ok(&self.value(value)?.ty.shape)
    }

    /// A node by number.
    ///
    /// # Errors
    /// A node of another graph.
    pub fn node(&self, node: NodeId) -> Result<&Node> {
        if self.owns_node(node) {
            return Ok(self.node_at(node));
        }
        Err(Error::Graph(format!(
            "node {} belongs to another graph; a plan's nodes are those of `Plan::graph`",
            node.index
        )))
    }

    /// [`Graph::value`] of a value that is known to be this graph's.
    pub(crate) fn info(&self, value: Value) -> &ValueInfo {
        &self.values[value.index]
    }

    /// [`Graph::shape`] of a value that is known to be this graph's.
    pub(crate) fn shape_of(&self, value: Value) -> &Shape {
        &self.info(value).ty.shape
    }

    /// [`Graph::node`] of a node that is known to be this graph's.
    pub(crate) fn node_at(&self, node: NodeId) -> &Node {
        &self.nodes[node.index]
    }

    /// All values, in the order they were made.
    pub fn values(&self) -> impl ExactSizeIterator<Item = (Value, &ValueInfo)> {
        self.values.iter().enumerate().map(|(i, info)| (self.identity.value(i), info))
    }

    /// All nodes, in the order in which a step runs them.
    pub fn nodes(&self) -> impl ExactSizeIterator<Item = (NodeId, &Node)> {
        self.nodes.iter().enumerate().map(|(i, node)| (self.identity.node(i), node))
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

    /// The value whose storage this one shares through views and updates in place, or itself.
    pub(crate) fn storage(&self, value: Value) -> Value {
        self.identity.value(self.info(value).storage)
    }

    /// Error for an operator rejected before its node exists. It has the name that the node would have.
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

    fn push(&mut self, name: String, ty: TensorType, source: Source) -> Value {
        debug_assert!(ty.dtype == DType::F32 || !matches!(source, Source::Parameter(_)));
        let index = self.values.len();
        self.values.push(ValueInfo { name, ty, source, labels: LabelRanges::default(), storage: index });
        self.identity.value(index)
    }
}
