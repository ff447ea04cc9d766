//! The walk over a model's nodes. What is known on the host is computed there (`constant`); everything else becomes nodes
//! of the graph, by the handler of its operator. `node.rs` is what a handler sees of a node.
//!
//! A node that fails does not end the walk: those that depend on it are only asked whether their operators are known, so
//! that one error lists everything.

mod activations;
mod arithmetic;
mod convolution;
mod logic;
mod node;
mod normalization;
mod parts;
mod pooling;
mod products;
mod quantized;
mod reductions;
mod resample;
mod resize;
mod shapes;
mod table;
mod unpooling;
mod windows;

use super::constant;
use super::network::{Load, Output};
use super::proto::NodeProto;
use super::read::{Contents, name_of, title};
use super::tensor::Tensor;
use crate::error::Error;
use crate::file::printable;
use crate::graph::{Graph, Init, LayerId, Mode, Value};
use crate::ops::pool2d::MaxIndices;
use crate::tensor::Shape;
use node::Node;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Why places of max pooling are not read.
const PLACES: &str = "the places that MaxPool found can be read by MaxUnpool alone";

/// The most elements of a list that is a constant, not a weight.
const SHORT: usize = 64;

/// Why a node can't be built: a message that expects the node's name in front.
#[derive(Debug)]
pub(super) struct Problem(pub String);

type Outcome<T> = Result<T, Problem>;

impl From<String> for Problem {
    fn from(message: String) -> Self {
        Problem(message)
    }
}

impl From<&str> for Problem {
    fn from(message: &str) -> Self {
        Problem(message.to_owned())
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        Problem(match error {
            Error::Node { operator, message, .. } => format!("{operator}: {message}"),
            error => error.to_string(),
        })
    }
}

/// What stands for a value of the file.
#[derive(Clone, Debug)]
pub(super) enum Held {
    /// Known on the host.
    Host(Arc<Tensor>),
    /// A float initialiser, by its number. It becomes a parameter when a node reads it as one.
    Weight(usize),
    /// A value of the graph.
    Value(Value),
    /// Places at which a max pooling found its largest elements. The graph counts them within windows, ONNX within tensors.
    Indices(MaxIndices),
    /// It could not be made; the message is empty if the reason is another node's.
    Failed(String),
}

/// A float initialiser.
#[derive(Debug)]
struct Weight {
    name: String,
    tensor: Arc<Tensor>,
    /// Whether it is a constant to operators that have no weights: a single number, or a short list of a node `Constant`,
    /// such as scales.
    folds: bool,
    /// Whether it is one to all operators: a list of a node `Constant` whose numbers are all equal, as exporters give
    /// normalisations that have no weights, or any that this library wrote.
    fixed: bool,
    /// The parameter that it became.
    value: Option<Value>,
    /// How many parameters and states it became: exporters merge initialisers whose numbers are equal.
    uses: usize,
}

/// The nodes and values that outputs depend on.
pub(super) struct Needed<'m> {
    pub values: HashSet<&'m str>,
    nodes: Vec<&'m NodeProto>,
}

/// A walk over a model's nodes.
pub(super) struct Walk<'m, 'g> {
    contents: &'m Contents,
    pub graph: &'g mut Graph,
    mode: Mode,
    seed: u64,
    frozen: Option<&'g dyn Fn(&str) -> bool>,
    held: HashMap<&'m str, Held>,
    weights: Vec<Weight>,
    /// Number of the node that is being built.
    at: usize,
    /// What constant folding may still make.
    budget: constant::Budget,
    /// The parameters and the state so far.
    pub loads: Vec<Load>,
}

impl<'m, 'g> Walk<'m, 'g> {
    pub(super) fn new(
        contents: &'m Contents,
        graph: &'g mut Graph,
        mode: Mode,
        seed: u64,
        frozen: Option<&'g (dyn Fn(&str) -> bool + 'm)>,
    ) -> Self {
        let tensors = contents.initializers.values().chain(contents.constants.values());
        let elements = tensors.flatten().fold(0usize, |all, tensor| all.saturating_add(tensor.elements()));
        let mut walk = Walk {
            contents,
            graph,
            mode,
            seed,
            frozen: frozen.map(|frozen| frozen as &dyn Fn(&str) -> bool),
            held: HashMap::new(),
            weights: Vec::new(),
            at: 0,
            budget: constant::Budget::new(elements),
            loads: Vec::new(),
        };
        // This library's own files have parameters as initialisers, and as nodes what is none.
        let own = contents.producer.split(' ').next() == Some(env!("CARGO_PKG_NAME"));
        let constants = contents.constants.iter().map(|one| (one, true));
        for ((name, tensor), constant) in
            contents.initializers.iter().map(|one| (one, false)).chain(constants)
        {
            let held = match tensor {
                Ok(tensor) if tensor.any_floats().is_some() => {
                    let short = tensor.shape.len() <= 1 && tensor.elements() <= SHORT;
                    let list = constant && (own || short);
                    let held = walk.new_weight(name, Arc::clone(tensor), list || tensor.elements() == 1);
                    if let (Held::Weight(number), true) = (&held, list) {
                        let numbers = tensor.to_f64();
                        walk.weights[*number].fixed =
                            own || numbers.windows(2).all(|pair| pair[0] == pair[1]);
                    }
                    held
                }
                Ok(tensor) => Held::Host(Arc::clone(tensor)),
                Err(message) => Held::Failed(format!("\"{}\": {message}", printable(name))),
            };
            walk.held.insert(name, held);
        }
        walk
    }

    pub(super) fn hold(&mut self, name: &'m str, held: Held) {
        self.held.insert(name, held);
    }

    /// A further initialiser, such as one that was dequantised.
    fn new_weight(&mut self, name: &str, tensor: Arc<Tensor>, folds: bool) -> Held {
        self.weights.push(Weight {
            name: name.to_owned(),
            tensor,
            folds,
            fixed: false,
            value: None,
            uses: 0,
        });
        Held::Weight(self.weights.len() - 1)
    }

    /// What these outputs depend on.
    pub(super) fn needed(&self, outputs: &[&'m str]) -> Needed<'m> {
        let mut values: HashSet<&str> = outputs.iter().copied().collect();
        let mut nodes = Vec::new();
        for node in self.contents.nodes.iter().rev() {
            if node.output.iter().any(|name| !name.is_empty() && values.contains(name.as_str())) {
                values.extend(node.input.iter().map(String::as_str));
                nodes.push(node);
            }
        }
        nodes.reverse();
        Needed { values, nodes }
    }

    /// Builds the nodes and returns the outputs, or everything that is not supported.
    pub(super) fn run(
        &mut self,
        id: &LayerId,
        needed: &Needed<'m>,
        outputs: &[&str],
    ) -> Result<Vec<Output>, Vec<String>> {
        let mut problems = Vec::new();
        // Entering and leaving the layer by hand: the closure borrows the graph, and the walk holds it.
        let mut results = Vec::new();
        self.in_layer(id, |walk| {
            for (at, &node) in needed.nodes.iter().enumerate() {
                walk.at = at;
                if let Err(Problem(message)) = walk.node(node, needed)
                    && !message.is_empty()
                {
                    problems.push(format!("{}: {message}", title(node)));
                }
            }
            for &name in outputs {
                match walk.output(name) {
                    Ok(output) => results.push(output),
                    Err(Problem(message)) if message.is_empty() => {}
                    Err(Problem(message)) => {
                        problems.push(format!("output \"{}\": {message}", printable(name)))
                    }
                }
            }
        });
        if problems.is_empty() { Ok(results) } else { Err(problems) }
    }

    fn in_layer(&mut self, id: &LayerId, build: impl FnOnce(&mut Walk<'m, '_>)) {
        let (contents, mode, seed) = (self.contents, self.mode, self.seed);
        let (held, weights) = (std::mem::take(&mut self.held), std::mem::take(&mut self.weights));
        let (frozen, budget) = (self.frozen, self.budget);
        let loads = self.graph.layer(id, |graph| {
            let mut walk =
                Walk { contents, graph, mode, seed, frozen, held, weights, at: 0, budget, loads: Vec::new() };
            build(&mut walk);
            walk.loads
        });
        self.loads = loads;
    }

    fn output(&mut self, name: &str) -> Outcome<Output> {
        match self.held.get(name).cloned() {
            Some(Held::Value(value)) => Ok(Output::Value(value)),
            Some(Held::Weight(number)) => Ok(Output::Value(self.parameter(number)?)),
            Some(Held::Host(tensor)) => Ok(Output::Constant(tensor.to_host()?)),
            Some(Held::Indices(_)) => Err(PLACES.into()),
            Some(Held::Failed(message)) => Err(Problem(message)),
            None => Err("is made by no node".into()),
        }
    }

    /// Builds one node.
    fn node(&mut self, node: &'m NodeProto, needed: &Needed<'m>) -> Outcome<()> {
        let made = self.made(node);
        let outputs = node.output.iter().map(String::as_str).enumerate().filter(|(_, name)| !name.is_empty());
        match made {
            Ok(made) => {
                let mut made: Vec<Option<Held>> = made.into_iter().map(Some).collect();
                let mut lacking = None;
                for (i, name) in outputs {
                    let held = made.get_mut(i).and_then(Option::take);
                    if held.is_none() && needed.values.contains(name) {
                        lacking.get_or_insert(format!("its output {i} is not supported"));
                    }
                    self.held.insert(name, held.unwrap_or_else(|| Held::Failed(String::new())));
                }
                lacking.map_or(Ok(()), |message| Err(Problem(message)))
            }
            Err(problem) => {
                outputs.for_each(|(_, name)| drop(self.held.insert(name, Held::Failed(String::new()))));
                Err(problem)
            }
        }
    }

    fn made(&mut self, node: &'m NodeProto) -> Outcome<Vec<Held>> {
        let operator = node.op_type.as_deref().unwrap_or("");
        if !matches!(node.domain.as_deref().unwrap_or(""), "" | "ai.onnx") {
            return Err(format!(
                "operators of the domain \"{}\" are not supported; export the model with ONNX's own operators",
                printable(node.domain.as_deref().unwrap_or(""))
            )
            .into());
        }
        let handler = table::handler(operator);
        if handler.is_none() && !constant::is_known(operator) {
            return Err("this operator is not supported".into());
        }
        let mut reasons = Vec::new();
        let mut failed = false;
        for name in node.input.iter().filter(|name| !name.is_empty()) {
            match self.held.get(name.as_str()) {
                Some(Held::Failed(message)) => {
                    failed = true;
                    reasons.extend((!message.is_empty()).then(|| message.clone()));
                }
                Some(_) => {}
                None => {
                    return Err(format!("input \"{}\" is made by no node before it", printable(name)).into());
                }
            }
        }
        if failed {
            return Err(Problem(reasons.join("; ")));
        }
        let mut cx = Node::new(self, node);
        if let Some(folded) = cx.folded(operator) {
            return folded;
        }
        let Some(handler) = handler else {
            return Err("this operator is supported on constants only, and an input of it is computed".into());
        };
        let made = cx.scoped(|cx| handler(cx))?;
        cx.attributes.check_all_read()?;
        Ok(made)
    }

    /// The value of an initialiser as a parameter, named after it.
    fn parameter(&mut self, number: usize) -> Outcome<Value> {
        if let Some(value) = self.weights[number].value {
            return Ok(value);
        }
        let (name, shape) = self.used(number);
        let initial = Init::Constant(0.0);
        let value = if self.frozen.is_some_and(|frozen| frozen(&name)) {
            self.graph.frozen(|graph| graph.parameter(&name, shape, initial))
        } else {
            self.graph.parameter(&name, shape, initial)
        }?;
        self.weights[number].value = Some(value);
        self.load(number, value);
        Ok(value)
    }

    /// An initialiser as state that steps change. Each call makes a state of its own, because other nodes may read the
    /// initialiser too.
    fn state(&mut self, number: usize) -> Outcome<Value> {
        let (name, shape) = self.used(number);
        let value = self.graph.state(&name, shape, Init::Constant(0.0), true)?;
        self.load(number, value);
        Ok(value)
    }

    /// The name of a further use of an initialiser, and its shape.
    fn used(&mut self, number: usize) -> (String, Shape) {
        let weight = &mut self.weights[number];
        weight.uses += 1;
        let name = match weight.uses {
            1 => weight.name.clone(),
            uses => format!("{}.copy{uses}", weight.name),
        };
        (name, weight.tensor.shape.clone())
    }

    fn load(&mut self, number: usize, value: Value) {
        let name = self.graph.info(value).name.clone();
        self.loads.push((name, self.weights[number].tensor.narrowed()));
    }
}

/// The name under which a node's graph nodes stand.
fn scope_of(node: &NodeProto) -> &str {
    name_of(node)
}
