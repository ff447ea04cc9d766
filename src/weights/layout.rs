//! The layout of weights: the pages and offsets of the tensors of one graph, or of several that share weights.
//!
//! A plan knows only its own graph, so each graph's layout (`plan/arena.rs`) must hold in the common one: tensors
//! that an optimizer updates together lie together and in order. All other tensors follow, grouped by the graphs that
//! update them.

use super::Entry;
use crate::error::{Error, Result};
use crate::graph::{Graph, Init, Source, Value, ValueInfo};
use crate::op::arena_bytes;
use crate::plan::{Arenas, BufferKind, updated_in_place};
use std::collections::{BTreeMap, BTreeSet};

/// A tensor of the weights, in the first graph that has it.
#[derive(Clone, Copy)]
pub(super) struct Tensor<'g> {
    pub graph: &'g Graph,
    pub value: Value,
    in_file: bool,
    kind: BufferKind,
    /// One bit per graph: whether its nodes update the tensor.
    updated: u128,
}

impl<'g> Tensor<'g> {
    pub(super) fn info(&self) -> &'g ValueInfo {
        self.graph.info(self.value)
    }

    pub(super) fn init(&self) -> &'g Init {
        match &self.info().source {
            Source::Parameter(init) | Source::State { init, .. } => init,
            other => unreachable!("only parameters and state are kept, found {other:?}"),
        }
    }

    /// Bytes up to the next tensor.
    fn bytes(&self) -> u64 {
        arena_bytes(&self.info().ty)
    }
}

/// The most graphs that may share weights.
const MOST_GRAPHS: usize = u128::BITS as usize;

/// Places for tensors, behind those that have places already.
pub(super) struct Layout<'g> {
    pub tensors: BTreeMap<&'g str, Tensor<'g>>,
    /// Places of all tensors, with those from before.
    pub entries: BTreeMap<String, Entry>,
    /// Bytes of each new page.
    pub pages: Vec<u64>,
    /// Pages from before.
    before: usize,
    page_bytes: u64,
}

impl<'g> Layout<'g> {
    /// Every parameter and state of these graphs, in pages of at most `page_bytes`.
    ///
    /// # Errors
    /// A tensor that graphs have with different shapes; optimizers that need different orders.
    pub(super) fn new(graphs: &[&'g Graph], page_bytes: u64) -> Result<Layout<'g>> {
        if graphs.len() > MOST_GRAPHS {
            return Err(Error::Graph(format!(
                "at most {MOST_GRAPHS} graphs share weights, found {}",
                graphs.len()
            )));
        }
        Layout::of(collect(graphs)?, graphs, BTreeMap::new(), 0, page_bytes)
    }

    /// The state of `graph` that has no entry yet, in pages behind those from before.
    ///
    /// # Errors
    /// As [`Layout::new`].
    pub(super) fn of_extra_state(
        graph: &'g Graph,
        entries: &BTreeMap<String, Entry>,
        before: usize,
        page_bytes: u64,
    ) -> Result<Layout<'g>> {
        let wanted =
            |name: &str, tensor: &Tensor<'_>| tensor.kind == BufferKind::State || entries.contains_key(name);
        let all = collect(&[graph])?.into_iter();
        let tensors = all.filter(|(name, tensor)| wanted(name, tensor)).collect();
        Layout::of(tensors, &[graph], entries.clone(), before, page_bytes)
    }

    fn of(
        tensors: BTreeMap<&'g str, Tensor<'g>>,
        graphs: &[&'g Graph],
        entries: BTreeMap<String, Entry>,
        before: usize,
        page_bytes: u64,
    ) -> Result<Layout<'g>> {
        let mut layout = Layout { tensors, entries, pages: Vec::new(), before, page_bytes };
        let mut runs = Vec::new();
        for graph in graphs {
            runs.extend(together(graph, page_bytes)?);
        }
        if graphs.len() > 1 {
            // A part of the parameters may be trained by another graph, if it finds them in order.
            runs.sort_by_key(|run| std::cmp::Reverse(run.len()));
        }
        // A session reports tensors that the weights lack.
        runs.retain(|run| run.iter().all(|name| layout.tensors.contains_key(name)));
        for run in runs {
            layout.place_together(&run)?;
        }
        layout.place_rest();
        Ok(layout)
    }

    /// Gives the tensors of an update a page of their own, unless they already lie together and in order.
    fn place_together(&mut self, names: &[&'g str]) -> Result<()> {
        let new = names.iter().filter(|&&name| !self.entries.contains_key(name)).count();
        if new == names.len() {
            self.place_page(names);
            return Ok(());
        }
        let follows = |pair: &[&str]| match (self.entries.get(pair[0]), self.entries.get(pair[1])) {
            (Some(before), Some(after)) => {
                let end = before.offset + self.tensors[pair[0]].bytes();
                (before.page, end) == (after.page, after.offset)
            }
            _ => false,
        };
        match names.windows(2).find(|pair| !follows(pair)) {
            None => Ok(()),
            Some(pair) => Err(Error::Graph(format!(
                "one optimizer updates \"{}\" right before \"{}\", and another graph that shares the weights has them in another order or trains one without the other; train them in the same order, or give each graph weights of its own",
                pair[0], pair[1]
            ))),
        }
    }

    /// Places the tensors that no optimizer updates. A dispatch that updates state may read state that nothing
    /// updates, and must not bind one buffer for both, so the two have pages of their own.
    fn place_rest(&mut self) {
        let mut rest: BTreeMap<_, Vec<(usize, &'g str)>> = BTreeMap::new();
        for (&name, tensor) in self.tensors.iter().filter(|(name, _)| !self.entries.contains_key(**name)) {
            let updated = if tensor.kind == BufferKind::State { tensor.updated } else { 0 };
            let key = (tensor.kind, std::cmp::Reverse(updated));
            rest.entry(key).or_default().push((tensor.value.index, name));
        }
        for names in rest.into_values() {
            let names: Vec<&str> = sorted(names);
            let (mut start, mut filled) = (0, 0);
            for (i, name) in names.iter().enumerate() {
                let bytes = self.tensors[name].bytes();
                if i > start && filled + bytes > self.page_bytes {
                    self.place_page(&names[start..i]);
                    (start, filled) = (i, 0);
                }
                filled += bytes;
            }
            self.place_page(&names[start..]);
        }
    }

    fn place_page(&mut self, names: &[&'g str]) {
        let (page, mut offset) = (self.before + self.pages.len(), 0);
        for &name in names {
            let tensor = self.tensors[name];
            let copies = match tensor.init() {
                // A parameter that starts so goes its own way, and files hold it.
                Init::Copy(of) if !tensor.in_file => Some(of.clone()),
                _ => None,
            };
            let shape = tensor.info().ty.shape.clone();
            let entry = Entry { shape, page, offset, in_file: tensor.in_file, copies };
            self.entries.insert(name.to_owned(), entry);
            offset += tensor.bytes();
        }
        self.pages.push(offset);
    }
}

/// The parameters and state of all graphs by name.
fn collect<'g>(graphs: &[&'g Graph]) -> Result<BTreeMap<&'g str, Tensor<'g>>> {
    let mut tensors: BTreeMap<&str, Tensor<'_>> = BTreeMap::new();
    for (number, &graph) in graphs.iter().enumerate() {
        let updated = updated_in_place(graph);
        for (value, info) in graph.values() {
            let (kind, in_file) = match info.source {
                Source::Parameter(_) => (BufferKind::Parameters, true),
                Source::State { in_state_dict, .. } => (BufferKind::State, in_state_dict),
                _ => continue,
            };
            let bit = u128::from(updated.contains(&value)) << number;
            let first = Tensor { graph, value, in_file, kind, updated: 0 };
            let tensor = tensors.entry(&info.name).or_insert(first);
            if tensor.info().ty != info.ty {
                return Err(Error::Value {
                    name: info.name.clone(),
                    message: format!(
                        "is {} in one graph and {} in another that shares the weights",
                        tensor.info().ty,
                        info.ty
                    ),
                });
            }
            tensor.in_file |= in_file;
            tensor.updated |= bit;
        }
    }
    Ok(tensors)
}

/// For each page of parameters or state that an optimizer of the graph updates, its tensors in order.
fn together(graph: &Graph, page_bytes: u64) -> Result<Vec<Vec<&str>>> {
    let arenas = Arenas::new(graph, page_bytes)?;
    let mut run_over = BTreeSet::new();
    for (_, node) in graph.nodes() {
        let inputs = node.operator.arenas().into_iter().flatten();
        run_over.extend(inputs.map(|input| graph.storage(node.inputs[input])));
    }
    let mut pages: BTreeMap<usize, Vec<(u64, &str)>> = BTreeMap::new();
    for (&value, &(page, offset)) in arenas.places.iter().filter(|(value, _)| run_over.contains(value)) {
        if arenas.pages[page].kind != BufferKind::Gradients {
            pages.entry(page).or_default().push((offset, graph.info(value).name.as_str()));
        }
    }
    Ok(pages.into_values().map(sorted).collect())
}

/// Names in the order of their numbers.
fn sorted<T: Ord>(mut names: Vec<(T, &str)>) -> Vec<&str> {
    names.sort();
    names.into_iter().map(|(_, name)| name).collect()
}
