//! The order of nodes: independent ones next to each other, so that a GPU may run them at the same time.
//!
//! The graph's own order is depth first: in a backward pass a layer's weight gradient stands before its input
//! gradient, and everything else waits for both. Here the longest way to the end goes first, and what does not depend
//! on the dispatches of the open group joins it. A node moves over a few others only, so values don't live much longer.
//! Updates by gradients come last: what gradients are summed over has to be there before the first of them.

use super::gradients::updates;
use super::groups::{Open, Uses};
use crate::graph::{Graph, Node, Value};
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::ops::Range;

/// Nodes among which the next one is chosen: the first that are left of the graph's order.
const WINDOW: usize = 12;

/// An order of the nodes of `graph`, by their numbers. `dispatches` are those of each node, and `uses` what they use.
pub(super) fn order(graph: &Graph, dispatches: &[Range<usize>], uses: &[Uses]) -> Vec<usize> {
    let (followers, updates) = (followers(graph), updates(graph));
    let mut waits = vec![0usize; followers.len()];
    followers.iter().flatten().for_each(|&follower| waits[follower] += 1);
    // Dispatches on the longest way from a node's start to the end of the step.
    let mut ways = vec![0usize; followers.len()];
    for node in (0..followers.len()).rev() {
        let rest = followers[node].iter().map(|&follower| ways[follower]).max();
        ways[node] = dispatches[node].len() + rest.unwrap_or(0);
    }
    let mut open = Open::default();
    let mut order = Vec::with_capacity(followers.len());
    let mut left = 0..followers.len();
    let mut window: Vec<usize> = left.by_ref().take(WINDOW).collect();
    while !window.is_empty() {
        let key = |&(_, node): &(usize, usize)| {
            let mine = &dispatches[node];
            let waits = !mine.is_empty() && !open.takes(&uses[mine.start]);
            // A node of several dispatches ends the open group, so that it comes after the others which join.
            (updates[node], waits, !waits && mine.len() > 1, Reverse(ways[node]), node)
        };
        let ready = window.iter().copied().enumerate().filter(|&(_, node)| waits[node] == 0);
        // The graph's own order is sound, so the first node left waits for none.
        let Some((at, node)) = ready.min_by_key(key) else { break };
        window.remove(at);
        window.extend(left.next());
        for uses in &uses[dispatches[node].clone()] {
            open.add(uses);
        }
        followers[node].iter().for_each(|&follower| waits[follower] -= 1);
        order.push(node);
    }
    order
}

/// For each node, the nodes that have to stay behind it: those that read what it writes, and those that write what it
/// reads or writes. Updates in place write the storage of their input.
fn followers(graph: &Graph) -> Vec<Vec<usize>> {
    #[derive(Default)]
    struct Storage {
        written: Option<usize>,
        read: Vec<usize>,
    }
    let mut followers: Vec<Vec<usize>> = vec![Vec::new(); graph.nodes().len()];
    let mut storages: BTreeMap<Value, Storage> = BTreeMap::new();
    let mut last_update = None;
    for (number, (_, node)) in graph.nodes().enumerate() {
        let mut before = Vec::new();
        for &input in &node.inputs {
            let storage = storages.entry(graph.storage(input)).or_default();
            before.extend(storage.written);
            storage.read.push(number);
        }
        for output in written(node) {
            let storage = storages.entry(graph.storage(output)).or_default();
            before.extend(storage.written.replace(number));
            before.append(&mut storage.read);
        }
        // Arenas lie in the order of the updates that run over them.
        if !node.operator.arenas().is_empty() {
            before.extend(last_update.replace(number));
        }
        before.sort_unstable();
        before.dedup();
        before.iter().filter(|&&other| other != number).for_each(|&other| followers[other].push(number));
    }
    followers
}

/// The outputs that a node writes. A view writes none.
fn written(node: &Node) -> impl Iterator<Item = Value> + '_ {
    node.outputs.iter().copied().filter(|_| !node.operator.is_view())
}
