//! The walk over the nodes that outputs need, and the file that comes of it.

use super::batch::Batch;
use super::message;
use super::node::Node;
use super::table;
use crate::file::printable;
use crate::graph::{self, Graph, NodeId, Source, Value};
use crate::onnx::proto::{GraphProto, NodeProto, TensorProto, ValueInfoProto};
use crate::tensor::{HostTensor, Shape};
use crate::weights::Metadata;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// What an output of a node is in the file.
pub(super) struct Made {
    pub name: String,
    pub batch: Option<Batch>,
}

/// What was written so far.
pub(super) struct Walk<'g> {
    pub graph: &'g Graph,
    /// The batch's name and its size in the graph.
    batch: Option<(&'g str, usize)>,
    held: HashMap<Value, Made>,
    pub nodes: Vec<NodeProto>,
    /// For nodes of the graph: the place of their last node in the file.
    places: HashMap<NodeId, usize>,
    constants: Vec<TensorProto>,
    /// Parameters and state.
    stored: Vec<Value>,
    inputs: Vec<ValueInfoProto>,
    outputs: Vec<ValueInfoProto>,
    /// New names of values that are outputs.
    renamed: HashMap<String, String>,
    taken: HashSet<String>,
    /// For names that were wanted more than once: the last number.
    numbers: HashMap<String, usize>,
}

impl<'g> Walk<'g> {
    pub(super) fn new(
        graph: &'g Graph,
        outputs: &'g [(String, Value)],
        batch: Option<&'g str>,
    ) -> Result<Walk<'g>, String> {
        if outputs.is_empty() {
            return Err("an export needs an output; add it with Export::output".into());
        }
        let mut walk = Walk {
            graph,
            batch: None,
            held: HashMap::new(),
            nodes: Vec::new(),
            places: HashMap::new(),
            constants: Vec::new(),
            stored: Vec::new(),
            inputs: Vec::new(),
            outputs: Vec::new(),
            renamed: HashMap::new(),
            taken: HashSet::new(),
            numbers: HashMap::new(),
        };
        for (name, _) in outputs {
            if name.is_empty() || !walk.taken.insert(name.clone()) {
                return Err(format!(
                    "outputs need names of their own, found \"{}\" twice or empty",
                    printable(name)
                ));
            }
        }
        let mut nodes = BTreeSet::new();
        for (_, value) in outputs {
            nodes.extend(graph.nodes_behind(*value).map_err(|e| e.to_string())?);
        }
        walk.declare(outputs, &nodes, batch)?;
        walk.write(outputs, &nodes)?;
        Ok(walk)
    }

    /// Names the graph's inputs, constants, parameters and state that the outputs need.
    fn declare(
        &mut self,
        outputs: &[(String, Value)],
        nodes: &BTreeSet<NodeId>,
        batch: Option<&'g str>,
    ) -> Result<(), String> {
        let graph = self.graph;
        let mut read: BTreeSet<Value> = outputs.iter().map(|(_, value)| *value).collect();
        read.extend(nodes.iter().flat_map(|&id| graph.node_at(id).inputs.iter().copied()));
        let sources = || read.iter().map(|&value| (value, graph.info(value)));
        if let Some(name) = batch {
            let first =
                sources().find(|(_, info)| matches!(info.source, Source::Input) && !info.ty.shape.is_empty());
            self.batch = match first.map(|(_, info)| info.ty.shape[0]) {
                Some(samples) if samples > 1 => Some((name, samples)),
                Some(_) => {
                    return Err("to leave the batch size open, build the graph for a batch of 2 or more: a size of 1 could be any dimension's".into());
                }
                None => return Err("the outputs depend on no input that has a batch".into()),
            };
        }
        // Constants come last: their names may change.
        let is_constant = |info: &graph::ValueInfo| matches!(info.source, Source::Constant(_));
        let named = sources().filter(|(_, info)| !is_constant(info));
        for (value, info) in named.chain(sources().filter(|(_, info)| is_constant(info))) {
            let shape = &info.ty.shape;
            let name = match info.source {
                Source::Input | Source::Parameter(_) | Source::State { .. } if info.name.is_empty() => {
                    return Err(
                        "an input or a parameter has an empty name; ONNX files name all of them".into()
                    );
                }
                Source::Node { .. } => continue,
                Source::Constant(_) => self.fresh(&info.name),
                _ if self.taken.insert(info.name.clone()) => info.name.clone(),
                _ => {
                    return Err(format!(
                        "the name \"{}\" is an output's and another value's; give the output another name",
                        printable(&info.name)
                    ));
                }
            };
            let located = |message: String| format!("\"{}\": {message}", printable(&info.name));
            let mut open = None;
            match &info.source {
                Source::Input => {
                    open = self.batch_of_input(shape);
                    let batch = self.batch.and_then(|(called, _)| open.map(|_| (0, called)));
                    let element = message::element(info.ty.dtype).map_err(located)?;
                    self.inputs.push(message::port(&name, element, shape, batch));
                }
                Source::Constant(contents) => {
                    self.add_tensor(message::stored(&name, contents).map_err(located)?);
                }
                Source::Parameter(_) | Source::State { .. } => self.stored.push(value),
                // Only what draws random numbers reads it, and that is refused by name.
                Source::StepCounter => {}
                Source::Node { .. } | Source::Dropped => {
                    return Err(located("was dropped from the graph".into()));
                }
            }
            self.held.insert(value, Made { name, batch: open });
        }
        Ok(())
    }

    fn batch_of_input(&self, shape: &Shape) -> Option<Batch> {
        let (_, samples) = self.batch?;
        (shape.first() == Some(&samples)).then(|| Batch::first(shape))
    }

    /// Writes all nodes, or says of each that can't be written why.
    fn write(&mut self, outputs: &[(String, Value)], nodes: &BTreeSet<NodeId>) -> Result<(), String> {
        let graph = self.graph;
        let mut problems = Vec::new();
        for &id in nodes {
            let node = graph.node_at(id);
            let reads = &node.inputs[..table::values(node)];
            if let Some(unknown) = reads.iter().find(|input| !self.held.contains_key(*input)) {
                problems.push(format!(
                    "node \"{}\" ({}): reads \"{}\" after its update or beside the first output of its node",
                    printable(&node.name),
                    node.operator.name(),
                    printable(&graph.info(*unknown).name)
                ));
                self.hold_unwritten(node);
                continue;
            }
            match table::write(&mut Node::new(self, node)) {
                Ok(made) => {
                    self.places.insert(id, self.nodes.len() - 1);
                    self.held.insert(node.outputs[0], made);
                }
                Err(message) => {
                    problems.push(format!(
                        "node \"{}\" ({}): {message}",
                        printable(&node.name),
                        node.operator.name()
                    ));
                    self.hold_unwritten(node);
                }
            }
        }
        if !problems.is_empty() {
            return Err(problems.join("\n"));
        }
        for (name, value) in outputs {
            self.name_output(name, *value)?;
        }
        Ok(())
    }

    /// Lets the walk go on behind a node that can't be written, to find all others.
    fn hold_unwritten(&mut self, node: &graph::Node) {
        let batch = node.inputs.first().and_then(|input| self.held.get(input)?.batch);
        for &output in &node.outputs {
            let shape = self.graph.shape_of(output);
            let first = (shape.first() == Some(&self.samples())).then(|| Batch::first(shape));
            self.held.insert(output, Made { name: String::new(), batch: batch.and(first) });
        }
    }

    /// Gives a value its name as an output.
    fn name_output(&mut self, name: &str, value: Value) -> Result<(), String> {
        let info = self.graph.info(value);
        if matches!(info.source, Source::StepCounter) {
            return Err(format!(
                "output \"{}\": is the number of the step, which ONNX does not count",
                printable(name)
            ));
        }
        let Some(Made { name: made, batch }) = self.held.get(&value) else {
            return Err(format!(
                "output \"{}\": is not the first output of its node, which alone can be written",
                printable(name)
            ));
        };
        let (made, batch) = (made.clone(), *batch);
        let element = message::element(info.ty.dtype)?;
        let open = self.batch.zip(batch).map(|((called, _), batch)| (batch.axis, called));
        // Where it is several times the batch, its name says so.
        let open = open.map(|(axis, called)| match info.ty.shape[axis] / self.samples() {
            1 => (axis, called.to_owned()),
            times => (axis, format!("{called}*{times}")),
        });
        let open = open.as_ref().map(|(axis, called)| (*axis, called.as_str()));
        self.outputs.push(message::port(name, element, &info.ty.shape, open));
        if matches!(info.source, Source::Node { .. }) && !self.renamed.contains_key(&made) {
            self.renamed.insert(made, name.into());
            return Ok(());
        }
        let node = self.fresh(&format!("{name}/Identity"));
        self.nodes.push(message::node(&node, "Identity", vec![made], name.into(), vec![]));
        Ok(())
    }

    /// What stands for a value.
    pub(super) fn made(&self, value: Value) -> &Made {
        &self.held[&value]
    }

    /// The samples of a batch whose size is left open.
    pub(super) fn samples(&self) -> usize {
        self.batch.map_or(1, |(_, samples)| samples)
    }

    /// A name that nothing has yet: the wanted one, if it is free.
    pub(super) fn fresh(&mut self, wanted: &str) -> String {
        if self.taken.insert(wanted.to_owned()) {
            return wanted.to_owned();
        }
        let number = self.numbers.entry(wanted.to_owned()).or_insert(0);
        loop {
            *number += 1;
            let name = format!("{wanted}_{number}");
            if self.taken.insert(name.clone()) {
                return name;
            }
        }
    }

    /// Adds a list of sizes or axes.
    pub(super) fn add_list(&mut self, list: TensorProto) {
        self.constants.push(list);
    }

    /// Adds a tensor that is no parameter: a node, because importers take initialisers of floats for parameters.
    pub(super) fn add_tensor(&mut self, tensor: TensorProto) {
        self.nodes.push(message::constant(tensor));
    }

    /// The file's node for the first output of a node of the graph; `None` if that was refused.
    pub(super) fn written(&mut self, id: NodeId) -> Option<&mut NodeProto> {
        self.nodes.get_mut(*self.places.get(&id)?)
    }

    /// Names of the parameters and state whose contents the file takes.
    pub(super) fn stored(&self) -> impl Iterator<Item = &'g str> {
        self.stored.iter().map(|&value| self.graph.info(value).name.as_str())
    }

    /// The file, with these contents of parameters and state.
    pub(super) fn file(
        mut self,
        mut contents: BTreeMap<String, HostTensor>,
        metadata: &Metadata,
    ) -> Result<Vec<u8>, String> {
        let mut initializer = Vec::new();
        for &value in &self.stored {
            let info = self.graph.info(value);
            let shown = printable(&info.name);
            let Some(tensor) = contents.remove(&info.name) else {
                return Err(format!("\"{shown}\" was not read from the weights"));
            };
            let found = tensor.ty();
            if found != info.ty {
                return Err(format!(
                    "\"{shown}\": the graph has {}, the weights hold {found}; make them from this graph",
                    info.ty
                ));
            }
            initializer.push(message::stored(&info.name, &tensor)?);
        }
        initializer.append(&mut self.constants);
        for name in self.nodes.iter_mut().flat_map(|node| node.input.iter_mut().chain(&mut node.output)) {
            if let Some(new) = self.renamed.get(name) {
                name.clone_from(new);
            }
        }
        let graph = GraphProto {
            name: Some("network".into()),
            node: self.nodes,
            initializer,
            input: self.inputs,
            output: self.outputs,
            sparse_initializer: Vec::new(),
        };
        message::file(graph, metadata)
    }
}
