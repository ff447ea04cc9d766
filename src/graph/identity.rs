//! Which graph a value or a node belongs to. A clone is a graph of its own that knows what it took over. So values
//! made before the clone are valid in both graphs, and later ones only in the graph that made them.

use super::Graph;
use crate::error::{Error, Result};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

/// A tensor of a graph, by number. Cheap to copy. Valid in the graph that made it, and in clones and plans made of
/// that graph afterwards.
///
/// ```
/// # fn main() -> wgrad::Result<()> {
/// use wgrad::Graph;
///
/// let mut g = Graph::new();
/// let x = g.input("x", [2, 3])?;
/// let y = g.relu(x)?;
/// assert_eq!(g.shape(y)?, g.shape(x)?);
/// // Another graph refuses it.
/// assert!(Graph::new().relu(x).is_err());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Value {
    pub(crate) index: usize,
    graph: u64,
}

/// A node of a graph, by number. Valid in the graph that made it and in clones made afterwards. A plan's graph has
/// nodes of its own.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId {
    pub(crate) index: usize,
    graph: u64,
}

// Without the graph's number, which depends on how many graphs a process made before: ranks compare what operators print.
impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Value").field(&self.index).finish()
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("NodeId").field(&self.index).finish()
    }
}

/// A graph's number, and what it took over from the graphs it was cloned from.
#[derive(Debug)]
pub(super) struct Identity {
    id: u64,
    /// The oldest first, so their numbers ascend.
    ancestors: Vec<Ancestor>,
}

/// How many of its first values and nodes a graph shares with a later clone.
#[derive(Clone, Copy, Debug)]
struct Ancestor {
    id: u64,
    values: usize,
    nodes: usize,
}

impl Identity {
    pub(super) fn new() -> Identity {
        static GRAPHS: AtomicU64 = AtomicU64::new(0);
        Identity { id: GRAPHS.fetch_add(1, Ordering::Relaxed), ancestors: Vec::new() }
    }

    /// The identity of a clone of a graph that has this many values and nodes.
    pub(super) fn of_clone(&self, values: usize, nodes: usize) -> Identity {
        let mut ancestors = self.ancestors.clone();
        // A graph that added nothing to what it took over owns nothing.
        let last = ancestors.last().map_or((0, 0), |last| (last.values, last.nodes));
        if last != (values, nodes) {
            ancestors.push(Ancestor { id: self.id, values, nodes });
        }
        Identity { ancestors, ..Identity::new() }
    }

    /// Gives up the nodes that were taken over, because others replace them.
    pub(super) fn disown_nodes(&mut self) {
        self.ancestors.iter_mut().for_each(|ancestor| ancestor.nodes = 0);
    }

    pub(super) fn value(&self, index: usize) -> Value {
        let owner = self.ancestors.partition_point(|ancestor| ancestor.values <= index);
        Value { index, graph: self.ancestors.get(owner).map_or(self.id, |ancestor| ancestor.id) }
    }

    pub(super) fn node(&self, index: usize) -> NodeId {
        let owner = self.ancestors.partition_point(|ancestor| ancestor.nodes <= index);
        NodeId { index, graph: self.ancestors.get(owner).map_or(self.id, |ancestor| ancestor.id) }
    }

    fn ancestor(&self, id: u64) -> Option<&Ancestor> {
        self.ancestors.binary_search_by_key(&id, |ancestor| ancestor.id).ok().map(|i| &self.ancestors[i])
    }
}

impl Graph {
    /// Whether the value belongs to this graph: made by it, or by a graph it was cloned from, before the clone.
    pub fn owns(&self, value: Value) -> bool {
        match self.identity.ancestor(value.graph) {
            Some(ancestor) => value.index < ancestor.values,
            None => value.graph == self.identity.id && value.index < self.values.len(),
        }
    }

    pub(super) fn owns_node(&self, node: NodeId) -> bool {
        match self.identity.ancestor(node.graph) {
            Some(ancestor) => node.index < ancestor.nodes,
            None => node.graph == self.identity.id && node.index < self.nodes.len(),
        }
    }

    /// Fails unless the graph owns all of `values`.
    pub(crate) fn check_owned(&self, values: impl IntoIterator<Item = Value>) -> Result<()> {
        match values.into_iter().find(|&value| !self.owns(value)) {
            None => Ok(()),
            Some(value) => Err(Error::Graph(self.not_owned(value))),
        }
    }

    /// Why a value is refused.
    pub(super) fn not_owned(&self, value: Value) -> String {
        let number = value.index;
        if self.identity.ancestor(value.graph).is_some() {
            return format!(
                "value %{number} belongs to another graph: it was added to the original after this clone or plan was made of it, which knows only what was there before; clone or plan again"
            );
        }
        format!(
            "value %{number} belongs to another graph; a value is valid in the graph that made it, and in clones and plans made of that afterwards"
        )
    }
}
