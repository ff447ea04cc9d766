//! What is set before a network is built from a file.

use super::import::{Held, Problem, Walk};
use super::network::{Network, Output};
use super::tensor::Tensor;
use super::{Dimension, Model, Port};
use crate::error::Result;
use crate::file::printable;
use crate::graph::{Graph, Mode, Value};
use crate::tensor::{HostTensor, Shape};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

/// What an input of the file is bound to.
#[derive(Clone)]
enum Bound {
    Value(Value),
    Constant(HostTensor),
    Shape(Shape),
}

/// A condition on a name.
type Condition<'m> = Box<dyn Fn(&str) -> bool + 'm>;

/// Builds a network from a [`Model`]. By default it is built for evaluation, and every dimension that the file leaves
/// open has to be set.
#[must_use = "nothing is built before Import::build"]
pub struct Import<'m> {
    model: &'m Model,
    dimensions: BTreeMap<String, usize>,
    bound: BTreeMap<String, Bound>,
    outputs: Option<Vec<String>>,
    mode: Mode,
    frozen: Option<Condition<'m>>,
    seed: u64,
}

impl fmt::Debug for Import<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Import { dimensions, outputs, mode, .. } = self;
        f.debug_struct("Import")
            .field("dimensions", dimensions)
            .field("outputs", outputs)
            .field("mode", mode)
            .finish_non_exhaustive()
    }
}

impl<'m> Import<'m> {
    pub(super) fn new(model: &'m Model) -> Self {
        Import {
            model,
            dimensions: BTreeMap::new(),
            bound: BTreeMap::new(),
            outputs: None,
            mode: Mode::Eval,
            frozen: None,
            seed: 0,
        }
    }

    /// Sets the size of a symbolic dimension, such as `N` or `batch_size`, wherever it stands.
    pub fn dimension(mut self, name: impl Into<String>, size: usize) -> Self {
        self.dimensions.insert(name.into(), size);
        self
    }

    /// Sets the shape of an input, whatever the file says of it.
    pub fn shape(mut self, input: impl Into<String>, shape: impl Into<Shape>) -> Self {
        self.bound.insert(input.into(), Bound::Shape(shape.into()));
        self
    }

    /// Takes a value of the graph as an input, whose shape is then the value's. Without it the graph gets an input of the
    /// file's name.
    pub fn input(mut self, input: impl Into<String>, value: Value) -> Self {
        self.bound.insert(input.into(), Bound::Value(value));
        self
    }

    /// Fixes an input: a shape, sizes, scales or bounds that the network takes while it runs and that a graph has to
    /// know. Integers of any width are given as i32, truth values as u8 or i32.
    pub fn constant(mut self, input: impl Into<String>, tensor: HostTensor) -> Self {
        self.bound.insert(input.into(), Bound::Constant(tensor));
        self
    }

    /// Sets which values of the file are the outputs, for example features in front of the last layer. What they don't
    /// need is not built.
    pub fn outputs<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.outputs = Some(names.into_iter().map(Into::into).collect());
        self
    }

    /// Sets whether the network is built for training, for evaluation or otherwise; evaluation by default. It decides
    /// what batch norm and dropout do, whatever mode the file was exported in.
    pub fn mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }

    /// Freezes the parameters for whose name `condition` holds, as [`Graph::frozen`].
    pub fn frozen(mut self, condition: impl Fn(&str) -> bool + 'm) -> Self {
        self.frozen = Some(Box::new(condition));
        self
    }

    /// Sets the seed of dropout; 0 by default.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Appends the network to `graph`. A refused model leaves nothing behind.
    ///
    /// # Errors
    /// Everything that is not supported, at once: a line for each node with its operator and what it has. Dimensions that
    /// are not set; names that are taken; values of another graph.
    pub fn build(self, graph: &mut Graph) -> Result<Network> {
        // On a copy first, because a node that is refused late must leave nothing of the others behind.
        self.walk(&mut graph.clone())?;
        self.walk(graph)
    }

    fn walk(&self, graph: &mut Graph) -> Result<Network> {
        let contents = &self.model.contents;
        let fail = |problems: &[String]| Err(contents.error(problems.join("\n")));
        if let Some(unknown) =
            self.bound.keys().find(|name| !contents.inputs.iter().any(|port| port.name == **name))
        {
            let names: Vec<String> = contents.inputs.iter().map(|port| printable(&port.name)).collect();
            return Err(contents.error(format!(
                "has no input \"{}\"; its inputs are {}",
                printable(unknown),
                names.join(", ")
            )));
        }
        let outputs: Vec<&str> = match &self.outputs {
            Some(names) => names.iter().map(String::as_str).collect(),
            None => contents.outputs.iter().map(|port| port.name.as_str()).collect(),
        };
        let mut walk = Walk::new(contents, graph, self.mode, self.seed, self.frozen.as_deref());
        let needed = walk.needed(&outputs);
        let (mut inputs, mut problems) = (BTreeMap::new(), Vec::new());
        for port in contents.inputs.iter().filter(|port| needed.values.contains(port.name.as_str())) {
            match self.bind(port, walk.graph) {
                Ok(held) => {
                    if let Held::Value(value) = held {
                        inputs.insert(port.name.clone(), value);
                    }
                    walk.hold(&port.name, held);
                }
                Err(Problem(message)) => problems.push(message),
            }
        }
        if !problems.is_empty() {
            problems.sort();
            problems.dedup();
            return fail(&problems);
        }
        let id = &self.model.id;
        let results = walk.run(id, &needed, &outputs);
        let (loads, results) = (std::mem::take(&mut walk.loads), results);
        match results {
            Ok(results) => {
                let outputs: Vec<(String, Output)> =
                    outputs.iter().map(|&name| name.to_owned()).zip(results).collect();
                Ok(Network::new(contents.path.clone(), inputs, outputs, loads))
            }
            Err(problems) => fail(&problems),
        }
    }

    /// What stands for an input of the file.
    fn bind(&self, port: &Port, graph: &mut Graph) -> Result<Held, Problem> {
        let name = printable(&port.name);
        let located = |message: String| Problem(format!("input \"{name}\": {message}"));
        let shape = match self.bound.get(&port.name) {
            Some(&Bound::Value(value)) => {
                graph.value(value).map_err(|e| located(e.to_string()))?;
                return Ok(Held::Value(value));
            }
            Some(Bound::Constant(tensor)) => {
                let Some(element) = port.element else {
                    return Err(located("its type is not supported".into()));
                };
                return Ok(Held::Host(Arc::new(Tensor::from_host(tensor, element).map_err(located)?)));
            }
            Some(Bound::Shape(shape)) => shape.clone(),
            None => self.shape_of(port)?,
        };
        let value = match port.element {
            Some(element) if element.is_float() => graph.input(&port.name, shape),
            Some(super::ElementType::Bool) | None => {
                return Err(located(format!(
                    "expected floats or integers, found {port}; fix it with Import::constant"
                )));
            }
            Some(_) => graph.input_i32(&port.name, shape),
        };
        value.map(Held::Value).map_err(|e| located(e.to_string()))
    }

    fn shape_of(&self, port: &Port) -> Result<Shape, Problem> {
        let name = printable(&port.name);
        let Some(dimensions) = &port.dimensions else {
            return Err(Problem(format!(
                "input \"{name}\" has no shape in the file; set it with Import::shape"
            )));
        };
        let open: BTreeSet<String> = dimensions
            .iter()
            .filter_map(|dimension| match dimension {
                Dimension::Symbolic(symbol) if !self.dimensions.contains_key(symbol) => Some(format!(
                    "dimension \"{0}\" has no size; set it with Import::dimension(\"{0}\", ...)",
                    printable(symbol)
                )),
                Dimension::Unknown => Some(format!(
                    "a dimension of {port} has neither size nor name; set them all with Import::shape"
                )),
                _ => None,
            })
            .collect();
        if !open.is_empty() {
            return Err(Problem(open.into_iter().collect::<Vec<_>>().join("\n")));
        }
        let size = |dimension: &Dimension| match dimension {
            Dimension::Fixed(size) => *size,
            Dimension::Symbolic(symbol) => self.dimensions[symbol],
            Dimension::Unknown => unreachable!("open dimensions were refused"),
        };
        Ok(Shape::from(dimensions.iter().map(size).collect::<Vec<_>>()))
    }
}
