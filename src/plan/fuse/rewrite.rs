//! A graph on its way through the passes: a list of nodes in which some replace others. A replacement's cost does not
//! grow with the list.
//!
//! Each replacement is checked where it changes the graph: every input is made before it is read, nothing is read
//! after it was overwritten, and nothing is dropped that a node or the user reads.

mod sound;

use crate::graph::{Graph, Node, Value};
use crate::op::{Caps, MAX_ITERATIONS, Operator};
use crate::plan::PlanOptions;
use crate::plan::draft::draft;
use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};

/// A place in the list of nodes. It stays valid while other nodes come and go.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Slot(usize);

/// A graph on its way through the passes.
pub(super) struct Rewrite<'a> {
    pub graph: Graph,
    caps: &'a Caps,
    options: &'a PlanOptions,
    /// Values that the user may read after a step.
    kept: BTreeSet<Value>,
    entries: Vec<Entry>,
    first: Option<Slot>,
    /// By value: the node that makes it, and which output it is.
    made_by: Vec<Option<(Slot, usize)>>,
    /// By value: the nodes that read it.
    consumers: Vec<BTreeSet<Slot>>,
    /// By value: its family, a number that all values in one storage share.
    families: Vec<usize>,
    /// The families that some node overwrites.
    written: BTreeMap<usize, Family>,
    /// Families that an optimizer's update places in an arena. No kernel may read one of them and write another.
    in_arenas: BTreeSet<usize>,
}

/// A node in the list. If it was removed, `next` is the node that followed it then.
struct Entry {
    node: Option<Node>,
    previous: Option<Slot>,
    next: Option<Slot>,
    /// Increases along the list.
    order: u64,
}

/// A family whose storage is overwritten.
#[derive(Default)]
struct Family {
    values: Vec<Value>,
    /// Its values that were written in place, in order.
    newer: Vec<Value>,
}

/// Nodes to remove, and the nodes that replace them.
pub(super) struct Group {
    pub members: Vec<Slot>,
    pub nodes: Vec<Node>,
}

/// Distance between neighbours, which leaves room for new nodes.
const ORDER_STEP: u64 = 1 << 16;

/// For each group of a replacement, the member whose place its new nodes take.
type Places = Vec<Slot>;

impl<'a> Rewrite<'a> {
    pub(super) fn new(
        graph: Graph,
        nodes: Vec<Node>,
        kept: &[Value],
        caps: &'a Caps,
        options: &'a PlanOptions,
    ) -> Self {
        let values = graph.values().count();
        let mut families: Vec<usize> = (0..values).collect();
        for (value, _) in graph.values() {
            families[value.index] = graph.storage(value).index;
        }
        let mut rewrite = Rewrite {
            graph,
            caps,
            options,
            kept: kept.iter().copied().collect(),
            entries: Vec::with_capacity(nodes.len()),
            first: (!nodes.is_empty()).then_some(Slot(0)),
            made_by: vec![None; values],
            consumers: vec![BTreeSet::new(); values],
            families,
            written: BTreeMap::new(),
            in_arenas: BTreeSet::new(),
        };
        let last = nodes.len().saturating_sub(1);
        for (i, node) in nodes.iter().enumerate() {
            rewrite.entries.push(Entry {
                node: None,
                previous: i.checked_sub(1).map(Slot),
                next: (i < last).then_some(Slot(i + 1)),
                order: (i as u64 + 1) * ORDER_STEP,
            });
            for (output, _) in node.operator.in_place() {
                let value = node.outputs[output];
                rewrite.written.entry(rewrite.families[value.index]).or_default().newer.push(value);
            }
        }
        for node in &nodes {
            let placed = node.operator.arenas().into_iter().flat_map(|run| &node.inputs[run]);
            rewrite.in_arenas.extend(placed.map(|value| rewrite.families[value.index]));
        }
        for (value, _) in rewrite.graph.values() {
            if let Some(family) = rewrite.written.get_mut(&rewrite.families[value.index]) {
                family.values.push(value);
            }
        }
        for (i, node) in nodes.into_iter().enumerate() {
            rewrite.put(Slot(i), node);
        }
        rewrite
    }

    /// The graph with the nodes as they are now.
    pub(super) fn finish(self) -> Graph {
        let mut nodes = Vec::with_capacity(self.entries.len());
        let mut entries = self.entries;
        let mut at = self.first;
        while let Some(slot) = at {
            let entry = &mut entries[slot.0];
            nodes.extend(entry.node.take());
            at = entry.next;
        }
        self.graph.with_nodes(nodes)
    }

    pub(super) fn first(&self) -> Option<Slot> {
        self.first
    }

    /// The place behind this one.
    pub(super) fn after(&self, slot: Slot) -> Option<Slot> {
        self.entries[slot.0].next
    }

    /// This place, or the next one with a node if its own was removed.
    pub(super) fn here_or_after(&self, slot: Slot) -> Option<Slot> {
        let mut at = Some(slot);
        while let Some(slot) = at.filter(|slot| self.entries[slot.0].node.is_none()) {
            at = self.entries[slot.0].next;
        }
        at
    }

    /// The node at a place that still has one.
    pub(super) fn node(&self, slot: Slot) -> &Node {
        self.entries[slot.0].node.as_ref().expect("passes keep no slots whose node is gone")
    }

    /// The node that makes this value, and the output's number.
    pub(super) fn producer(&self, value: Value) -> Option<(Slot, usize)> {
        self.made_by[value.index]
    }

    /// The nodes that read this value, in order.
    pub(super) fn consumers(&self, value: Value) -> Vec<Slot> {
        let mut consumers: Vec<Slot> = self.consumers[value.index].iter().copied().collect();
        consumers.sort_by_key(|&slot| self.order(slot));
        consumers
    }

    /// Whether this node alone reads the value.
    pub(super) fn is_only_consumer(&self, value: Value, slot: Slot) -> bool {
        let consumers = &self.consumers[value.index];
        consumers.len() == 1 && consumers.contains(&slot)
    }

    /// The operator of a node, if it is of this type.
    pub(super) fn operator<T: Operator>(&self, slot: Slot) -> Option<&T> {
        let operator: &dyn Any = self.node(slot).operator.as_ref();
        operator.downcast_ref()
    }

    /// A value like `like`, for new nodes.
    pub(super) fn reserve(&mut self, like: Value) -> Value {
        let info = self.graph.info(like);
        let (name, ty) = (info.name.clone(), info.ty.clone());
        self.reserve_of(name, ty)
    }

    /// A value of this name and type, for new nodes.
    pub(super) fn reserve_of(&mut self, name: String, ty: crate::tensor::TensorType) -> Value {
        let value = self.graph.reserve(name, ty);
        self.made_by.push(None);
        self.consumers.push(BTreeSet::new());
        self.families.push(value.index);
        value
    }

    /// Replaces nodes. A group's new nodes take the place of its last member, or else of its first. Values that no
    /// node makes any more are dropped. If this would change what other nodes see, it returns `None` and changes
    /// nothing. The pass has to ask whether the adapter can bind the new nodes' operands ([`Rewrite::fits`]).
    pub(super) fn replace(&mut self, groups: Vec<Group>) -> Option<()> {
        let by_order = |slot: &&Slot| self.order(**slot);
        let last: Places =
            groups.iter().filter_map(|g| g.members.iter().max_by_key(by_order).copied()).collect();
        let first: Places =
            groups.iter().filter_map(|g| g.members.iter().min_by_key(by_order).copied()).collect();
        let places = [last, first].into_iter().find(|places| self.is_sound(&groups, places))?;
        for group in &groups {
            group.members.iter().for_each(|&slot| self.take_away(slot));
        }
        for (group, place) in groups.into_iter().zip(places) {
            let mut nodes = group.nodes.into_iter();
            let mut at = place;
            self.put(at, nodes.next()?);
            for node in nodes {
                at = self.insert_after(at);
                self.put(at, node);
            }
            for member in group.members {
                if self.entries[member.0].node.is_none() {
                    self.unlink(member);
                }
            }
        }
        Some(())
    }

    /// Whether the adapter can bind all operands of the nodes' kernels, and their loops stay short.
    pub(super) fn fits(&self, nodes: &[Node]) -> bool {
        nodes.iter().all(|node| self.operands(node).is_some_and(|count| count <= self.most_operands()))
    }

    /// The most operands that one kernel can bind.
    pub(super) fn most_operands(&self) -> usize {
        self.caps.max_storage_buffers as usize
    }

    /// The most operands that one of a node's kernels binds. `None` if the node can't be lowered or loops too long.
    pub(super) fn operands(&self, node: &Node) -> Option<usize> {
        let read = vec![true; node.outputs.len()];
        let drafted = draft(&self.graph, node, self.caps, self.options, &read, &[], None).ok()?;
        let short = drafted.drafts.iter().all(|draft| draft.kernel.max_iterations() <= MAX_ITERATIONS);
        short.then(|| drafted.drafts.iter().map(|draft| draft.operands.len()).max().unwrap_or(0))
    }

    fn put(&mut self, slot: Slot, node: Node) {
        for input in &node.inputs {
            self.consumers[input.index].insert(slot);
        }
        for (output, value) in node.outputs.iter().enumerate() {
            self.made_by[value.index] = Some((slot, output));
        }
        if node.operator.is_view() {
            // A pass put this view behind a new value, whose storage it now shares.
            let (input, family) = (node.inputs[0], self.families[node.outputs[0].index]);
            if self.families[input.index] != family {
                self.families[input.index] = family;
                if let Some(family) = self.written.get_mut(&family) {
                    family.values.push(input);
                }
            }
        }
        self.entries[slot.0].node = Some(node);
    }

    fn take_away(&mut self, slot: Slot) {
        let Some(node) = self.entries[slot.0].node.take() else { return };
        for input in &node.inputs {
            self.consumers[input.index].remove(&slot);
        }
        for output in &node.outputs {
            self.made_by[output.index] = None;
        }
    }

    fn unlink(&mut self, slot: Slot) {
        let Entry { previous, next, .. } = self.entries[slot.0];
        match previous {
            Some(previous) => self.entries[previous.0].next = next,
            None => self.first = next,
        }
        if let Some(next) = next {
            self.entries[next.0].previous = previous;
        }
    }

    /// A new place directly behind this one.
    fn insert_after(&mut self, slot: Slot) -> Slot {
        let new = Slot(self.entries.len());
        let next = self.entries[slot.0].next;
        let order = self.order(slot) + 1;
        if next.is_some_and(|next| self.order(next) <= order) {
            self.spread();
            return self.insert_after(slot);
        }
        self.entries.push(Entry { node: None, previous: Some(slot), next, order });
        self.entries[slot.0].next = Some(new);
        if let Some(next) = next {
            self.entries[next.0].previous = Some(new);
        }
        new
    }

    /// Makes room between all places. This is rare: about [`ORDER_STEP`] nodes must have been added in one place.
    fn spread(&mut self) {
        let (mut at, mut order) = (self.first, 0);
        while let Some(slot) = at {
            order += ORDER_STEP;
            self.entries[slot.0].order = order;
            at = self.entries[slot.0].next;
        }
    }

    fn order(&self, slot: Slot) -> u64 {
        self.entries[slot.0].order
    }
}
