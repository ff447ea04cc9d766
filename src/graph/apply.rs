//! Adding nodes, and the checks that every operator passes before its node exists.

use super::{Graph, Ignored, LabelRange, LabelRanges, Node, Source, Value};
use crate::error::{Error, Result};
use crate::op::Operator;
use crate::tensor::{DType, HostData, HostTensor, TensorType};
use std::collections::BTreeSet;
use std::sync::Arc;

impl Graph {
    /// Appends a node named after the current scope and returns its outputs.
    ///
    /// # Errors
    /// A number of inputs that the operator does not take; its shape rule, with the node's name; a value of another
    /// graph, or one that was updated in place; a constant label or index out of range. Then no node is added.
    pub fn apply(&mut self, operator: impl Operator + 'static, inputs: &[Value]) -> Result<Vec<Value>> {
        let name = self.scope.join(".");
        self.apply_named(name, Arc::new(operator), inputs)
    }

    /// Like [`Graph::apply`], for an operator with one output.
    ///
    /// # Errors
    /// As [`Graph::apply`]; an operator with another number of outputs.
    pub fn apply1(&mut self, operator: impl Operator + 'static, inputs: &[Value]) -> Result<Value> {
        let name = self.scope.join(".");
        self.apply1_named(name, Arc::new(operator), inputs)
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
        self.append(name, operator, inputs, None)
    }

    /// Like [`Graph::apply_named`], for an operator with one output.
    pub(crate) fn apply1_named(
        &mut self,
        name: String,
        operator: Arc<dyn Operator>,
        inputs: &[Value],
    ) -> Result<Value> {
        Ok(self.append(name, operator, inputs, Some(1))?[0])
    }

    /// Appends a node, and fails unless it has `expected` outputs, if given.
    fn append(
        &mut self,
        base: String,
        operator: Arc<dyn Operator>,
        inputs: &[Value],
        expected: Option<usize>,
    ) -> Result<Vec<Value>> {
        let base = if base.is_empty() { operator.name().to_owned() } else { base };
        let (name, count) = self.unique_node_name(operator.name(), &base);
        let error = |message: String| Error::Node {
            operator: operator.name().to_owned(),
            node: name.clone(),
            message,
        };
        self.check_inputs(operator.as_ref(), inputs).map_err(error)?;
        let types: Vec<&TensorType> = inputs.iter().map(|&v| &self.info(v).ty).collect();
        let outputs = operator.infer(&types).map_err(error)?;
        for ty in &outputs {
            self.check_size(operator.name(), &name, ty)?;
        }
        if expected.is_some_and(|expected| expected != outputs.len()) {
            return Err(error(format!(
                "has {} outputs, expected one; call apply, which returns all",
                outputs.len()
            )));
        }
        check_storage(operator.as_ref(), &types, &outputs).map_err(error)?;
        let labels = operator.labels(&types);
        if let Some((input, range)) = labels {
            self.restrict_labels(inputs[input], range, operator.name(), &name).map_err(error)?;
        }
        let in_place = operator.in_place();
        let node = self.nodes.len();
        let id = self.identity.node(node);
        let mut values = Vec::with_capacity(outputs.len());
        for (output, ty) in outputs.into_iter().enumerate() {
            let name = if output == 0 { name.clone() } else { format!("{name}:{output}") };
            let value = self.push(name, ty, Source::Node { node: id, output });
            values.push(value);
        }
        if operator.is_view() {
            self.values[values[0].index].storage = self.info(inputs[0]).storage;
        }
        for (output, input) in in_place {
            let storage = self.info(inputs[input]).storage;
            self.values[values[output].index].storage = storage;
            self.replaced.insert(storage, (values[output].index, node));
        }
        self.commit_node_name(operator.name(), base, &name, count);
        *self.counts.entry(operator.name()).or_insert(0) += 1;
        self.nodes.push(Node { name, operator, inputs: inputs.to_vec(), outputs: values.clone() });
        Ok(values)
    }

    /// Fails unless the operator takes this number of inputs, and all of them belong to this graph and were not
    /// overwritten.
    fn check_inputs(&self, operator: &dyn Operator, inputs: &[Value]) -> Result<(), String> {
        let (fewest, most) = operator.arity();
        if !(fewest..=most).contains(&inputs.len()) {
            let expected = match most {
                _ if fewest == most => fewest.to_string(),
                usize::MAX => format!("{fewest} or more"),
                _ => format!("{fewest} to {most}"),
            };
            return Err(format!("takes {expected} inputs, found {}", inputs.len()));
        }
        for &input in inputs {
            if self.owns(input) && self.info(input).ty.dtype == DType::U8 && !operator.reads_bytes() {
                let info = self.info(input);
                return Err(format!(
                    "\"{}\" holds {}; make floats of it by Graph::bytes_to_float first",
                    crate::file::printable(&info.name),
                    info.ty
                ));
            }
            if !self.owns(input) {
                return Err(format!("an input is no value of this graph: {}", self.not_owned(input)));
            }
            if matches!(self.info(input).source, Source::Dropped) {
                return Err(self.dropped(input));
            }
            if let Some(&(newest, node)) = self.replaced.get(&self.info(input).storage)
                && input.index < newest
            {
                return Err(format!(
                    "input \"{}\" was updated in place by \"{}\" earlier in the graph; read it before the update, or apply its layer again, which reads the new value",
                    self.info(input).name,
                    self.nodes[node].name
                ));
            }
        }
        Ok(())
    }

    /// Fails unless a plan can have these outputs, and all constant labels are permitted by all their readers.
    pub(crate) fn check_plannable(&self, outputs: &[Value]) -> Result<()> {
        self.check_owned(outputs.iter().copied())?;
        for &output in outputs {
            if matches!(self.info(output).source, Source::Dropped) {
                return Err(Error::Graph(self.dropped(output)));
            }
        }
        for info in self.values.iter().filter(|info| !info.labels.is_empty()) {
            if let Source::Constant(HostTensor { data: HostData::I32(labels), .. }) = &info.source {
                let error = |message| Error::Value { name: info.name.clone(), message };
                info.labels.check(labels).map_err(error)?;
            }
        }
        Ok(())
    }

    /// Why a value that a plan dropped is refused.
    pub(crate) fn dropped(&self, value: Value) -> String {
        format!(
            "\"{}\" is kept nowhere in a plan's graph; take the graph that was planned, or name it among the plan's outputs",
            self.info(value).name
        )
    }

    /// Notes the labels that a reader permits, and checks those that are known already. Computed ones can't be
    /// checked: kernels ignore a label out of range, and read zeros at an index out of range.
    fn restrict_labels(
        &mut self,
        labels: Value,
        range: LabelRange,
        operator: &str,
        node: &str,
    ) -> Result<(), String> {
        let storage = self.info(labels).storage;
        let root = &mut self.values[storage];
        let reader = || format!("{operator} \"{node}\"");
        // A later loss may make this reader ignore more labels, so the plan checks these.
        if let Source::Constant(HostTensor { data: HostData::I32(labels), .. }) = &root.source
            && range.ignored != Ignored::AsLosses
        {
            let mut alone = LabelRanges::default();
            alone.restrict(range, reader);
            alone.check(labels).map_err(|message| format!("constant labels: {message}"))?;
        }
        root.labels.restrict(range, reader);
        Ok(())
    }

    /// A name that no other node of this operator has, and the number that makes it differ from `base`.
    fn unique_node_name(&self, operator: &'static str, base: &str) -> (String, usize) {
        let mut key = (operator, base.to_owned());
        let Some(&count) = self.node_names.get(&key) else { return (key.1, 1) };
        for number in count + 1.. {
            key.1 = format!("{base}#{number}");
            // A user may have given this name.
            if !self.node_names.contains_key(&key) {
                return (key.1, number);
            }
        }
        unreachable!("there are more numbers than names")
    }

    fn commit_node_name(&mut self, operator: &'static str, base: String, name: &str, count: usize) {
        if base != name {
            self.node_names.insert((operator, name.to_owned()), 1);
        }
        self.node_names.insert((operator, base), count);
    }

    /// Number of nodes with this operator.
    pub(crate) fn count_of(&self, operator: &str) -> usize {
        self.counts.get(operator).copied().unwrap_or(0)
    }

    /// The same values with other nodes, in this order, as a plan rewrites them. Values that no node makes any more
    /// become [`Source::Dropped`].
    pub(crate) fn with_nodes(mut self, nodes: Vec<Node>) -> Graph {
        self.identity.disown_nodes();
        self.replaced.clear();
        for (index, info) in self.values.iter_mut().enumerate() {
            info.storage = index;
            if matches!(info.source, Source::Node { .. }) {
                info.source = Source::Dropped;
            }
        }
        for (i, node) in nodes.iter().enumerate() {
            let id = self.identity.node(i);
            for (output, value) in node.outputs.iter().enumerate() {
                self.values[value.index].source = Source::Node { node: id, output };
            }
            if node.operator.is_view() {
                self.values[node.outputs[0].index].storage = self.info(node.inputs[0]).storage;
            }
            for (output, input) in node.operator.in_place() {
                let (value, storage) = (node.outputs[output].index, self.info(node.inputs[input]).storage);
                self.values[value].storage = storage;
                self.replaced.insert(storage, (value, i));
            }
        }
        self.nodes = nodes;
        self
    }

    /// The graph without those of these values that are parameters or state, which no node reads.
    pub(crate) fn without(mut self, values: &[Value]) -> Graph {
        for value in values {
            let info = &mut self.values[value.index];
            if matches!(info.source, Source::Parameter(_) | Source::State { .. }) {
                info.source = Source::Dropped;
                self.names.remove(&info.name);
            }
        }
        self
    }

    /// The graph with f16 in these storages.
    pub(crate) fn with_f16(mut self, storages: &BTreeSet<Value>) -> Graph {
        let halves: BTreeSet<usize> = storages.iter().map(|value| value.index).collect();
        for info in self.values.iter_mut().filter(|info| halves.contains(&info.storage)) {
            info.ty.dtype = DType::F16;
        }
        self
    }

    /// A value that a node of [`Graph::with_nodes`] is going to make.
    pub(crate) fn reserve(&mut self, name: String, ty: TensorType) -> Value {
        self.push(name, ty, Source::Dropped)
    }
}

/// Fails unless views and updates in place can share storage as the operator says.
fn check_storage(
    operator: &dyn Operator,
    inputs: &[&TensorType],
    outputs: &[TensorType],
) -> Result<(), String> {
    if operator.is_view()
        && !(outputs.len() == 1 && inputs.first().is_some_and(|input| input.bytes() == outputs[0].bytes()))
    {
        return Err("is a view, so it has one output as large as its first input".into());
    }
    for (output, input) in operator.in_place() {
        match (outputs.get(output), inputs.get(input)) {
            (Some(output), Some(input)) if output == *input => {}
            _ => return Err(format!("output {output} can't take the place of input {input}: types differ")),
        }
    }
    match operator.arenas().into_iter().find(|run| run.is_empty() || run.end > inputs.len()) {
        Some(run) => Err(format!("inputs {run:?} are no run of an arena")),
        None => Ok(()),
    }
}
