//! Arenas: parameters, their gradients and optimizer state lie one after the other, all in the same order, so that an
//! optimizer's update is one dispatch.
//!
//! An arena is one buffer, or several pages if the adapter can't bind it whole. The layout follows from the graph
//! alone, so weights and plans made from one graph agree.

use crate::error::{Error, Result};
use crate::graph::{Graph, NodeId, Source, Value};
use crate::op::arena_bytes;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// The kind of a buffer's contents.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
pub enum BufferKind {
    /// Trained tensors.
    Parameters,
    /// Their gradients.
    Gradients,
    /// Running statistics and optimizer state.
    State,
    /// Values between nodes, and scratch memory.
    Activations,
    /// Data that the user writes before a step.
    Inputs,
    /// The graph's constants.
    Constants,
    /// Counts and report of the numerics watch.
    Watch,
}

impl BufferKind {
    /// The kind's name in reports.
    pub fn name(self) -> &'static str {
        match self {
            BufferKind::Parameters => "parameters",
            BufferKind::Gradients => "gradients",
            BufferKind::State => "state",
            BufferKind::Activations => "activations",
            BufferKind::Inputs => "inputs",
            BufferKind::Constants => "constants",
            BufferKind::Watch => "watch",
        }
    }
}

/// One page of an arena.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Page {
    pub kind: BufferKind,
    pub bytes: u64,
}

/// The layout of all arenas of a graph.
#[derive(Clone, Debug, Default)]
pub(crate) struct Arenas {
    pub pages: Vec<Page>,
    /// By storage: page and offset in bytes.
    pub places: BTreeMap<Value, (usize, u64)>,
    /// For each optimizer update: the tensors of its runs that share a page.
    pub runs: BTreeMap<NodeId, Vec<Range<usize>>>,
}

impl Arenas {
    /// Lays out the arenas of `graph` with pages of at most `page_bytes` ([`Caps::page_bytes`](crate::op::Caps)).
    pub(crate) fn new(graph: &Graph, page_bytes: u64) -> Result<Arenas> {
        let mut arenas = Arenas::default();
        for (id, node) in graph.nodes() {
            let runs: Vec<Vec<Value>> = node
                .operator
                .arenas()
                .into_iter()
                .map(|run| node.inputs[run].iter().map(|&v| graph.storage(v)).collect())
                .collect();
            let Some(first) = runs.first() else { continue };
            // Tensors that an earlier node laid out, such as the parameters behind averages.
            let laid_out: Vec<bool> = runs.iter().map(|run| arenas.places.contains_key(&run[0])).collect();
            let breaks = |i: usize| {
                let both = runs.iter().zip(&laid_out).filter(|(_, laid_out)| **laid_out);
                both.into_iter().any(|(run, _)| !arenas.is_next(graph, run[i - 1], run[i]))
            };
            let pages = split(graph, first, page_bytes, breaks);
            for (run, &laid_out) in runs.iter().zip(&laid_out) {
                let kind = kind_of(graph, run[0])?;
                let alike = |&&value: &&Value| {
                    kind_of(graph, value).is_ok_and(|other| other == kind)
                        && (!laid_out || arenas.places.contains_key(&value))
                };
                if let Some(&other) = run.iter().find(|value| !alike(value)) {
                    return Err(Error::Graph(format!(
                        "\"{}\" updates \"{}\" together with \"{}\"; they must all be parameters, state or gradients of one optimizer",
                        node.name,
                        graph.info(run[0]).name,
                        graph.info(other).name
                    )));
                }
                for page in pages.iter().filter(|_| !laid_out) {
                    arenas.add_page(graph, kind, &run[page.clone()])?;
                }
            }
            arenas.runs.insert(id, pages);
        }
        // A dispatch that updates state may read state that nothing updates, such as frozen weights. It must not bind
        // one buffer for both, so the two have pages of their own.
        let updated = updated_in_place(graph);
        for (kind, updates) in [
            (BufferKind::Parameters, None),
            (BufferKind::State, Some(true)),
            (BufferKind::State, Some(false)),
        ] {
            let rest: Vec<Value> = graph
                .values()
                .filter(|(value, info)| {
                    let matches = match info.source {
                        Source::Parameter(_) => updates.is_none(),
                        Source::State { .. } => updates == Some(updated.contains(value)),
                        _ => false,
                    };
                    matches && !arenas.places.contains_key(value)
                })
                .map(|(value, _)| value)
                .collect();
            for page in split(graph, &rest, page_bytes, |_| false) {
                arenas.add_page(graph, kind, &rest[page])?;
            }
        }
        Ok(arenas)
    }

    /// Whether `value` directly follows `before`.
    fn is_next(&self, graph: &Graph, before: Value, value: Value) -> bool {
        match (self.places.get(&before), self.places.get(&value)) {
            (Some(&(page, offset)), Some(&place)) => {
                let bytes = arena_bytes(&graph.info(before).ty);
                place == (page, offset + bytes)
            }
            _ => false,
        }
    }

    fn add_page(&mut self, graph: &Graph, kind: BufferKind, values: &[Value]) -> Result<()> {
        let mut offset = 0;
        for &value in values {
            let info = graph.info(value);
            if self.places.insert(value, (self.pages.len(), offset)).is_some() {
                return Err(Error::Graph(format!(
                    "\"{}\" is updated by more than one optimizer step; give each parameter to one",
                    info.name
                )));
            }
            offset += arena_bytes(&info.ty);
        }
        self.pages.push(Page { kind, bytes: offset });
        Ok(())
    }
}

/// The values, by storage, that nodes update in place.
pub(crate) fn updated_in_place(graph: &Graph) -> BTreeSet<Value> {
    let updated = graph.nodes().flat_map(|(_, node)| {
        node.operator.in_place().into_iter().map(|(_, input)| graph.storage(node.inputs[input]))
    });
    updated.collect()
}

/// In which kind of arena a tensor lies that an update runs over.
fn kind_of(graph: &Graph, value: Value) -> Result<BufferKind> {
    let info = graph.info(value);
    match info.source {
        Source::Parameter(_) => Ok(BufferKind::Parameters),
        Source::State { .. } => Ok(BufferKind::State),
        Source::Node { .. } => Ok(BufferKind::Gradients),
        _ => Err(Error::Graph(format!(
            "an optimizer's update takes parameters, state and gradients that nodes compute; \"{}\" is none",
            info.name
        ))),
    }
}

/// Cuts a list of tensors into pages of limited size, and also wherever `breaks` says. A tensor larger than a page
/// gets one of its own, which the plan's limits then refuse by name.
fn split(
    graph: &Graph,
    values: &[Value],
    page_bytes: u64,
    breaks: impl Fn(usize) -> bool,
) -> Vec<Range<usize>> {
    let mut pages = Vec::new();
    let (mut start, mut filled) = (0, 0u64);
    for (i, &value) in values.iter().enumerate() {
        let bytes = arena_bytes(&graph.info(value).ty);
        if i > start && (filled + bytes > page_bytes || breaks(i)) {
            pages.push(start..i);
            (start, filled) = (i, 0);
        }
        filled += bytes;
    }
    if start < values.len() {
        pages.push(start..values.len());
    }
    pages
}
