//! The layout of a step: the order of its nodes, and the slots of what they compute.
//!
//! For a GPU, nodes move so that independent ones can overlap, and what is alive in a group of dispatches lies apart.
//! Both take memory, so the layout with the fewest groups is taken among those that need little more than the least.

use super::draft::Drafted;
use super::gradients::updates_last;
use super::place::Placer;
use super::slots::Packing;
use super::{Arenas, order};
use crate::error::Result;
use crate::graph::{Graph, Value};
use crate::op::Caps;

/// An order of nodes, and the slots of its values.
pub(super) struct Layout<'p> {
    /// The numbers of the graph's nodes.
    pub order: Vec<usize>,
    pub placer: Placer<'p>,
    pub packing: Packing,
    /// The most bytes alive at one dispatch, in the graph's order or in this one.
    pub activation_bound: u64,
}

/// The most that slots of a layout with fewer groups may take: these parts of a hundred of the least.
const MOST: u64 = 115;

impl<'p> Layout<'p> {
    /// Chooses a layout for `nodes`, those of `graph`. `outputs` live to the end of the step, and so does what the
    /// numerics watch looks at then, if there is one.
    pub(super) fn choose(
        graph: &'p Graph,
        arenas: &'p Arenas,
        nodes: &'p [Drafted],
        outputs: &[Value],
        watched: Option<&[Value]>,
        caps: &Caps,
    ) -> Result<Layout<'p>> {
        let most = caps.max_buffer_bytes;
        let placer_of = |order: &[usize]| -> Result<(Placer<'p>, u64)> {
            let order: Vec<&Drafted> = order.iter().map(|&number| &nodes[number]).collect();
            let mut placer = Placer::new(graph, arenas, order.into_iter())?;
            placer.pin(outputs);
            let bound = placer.lower_bound();
            placer.pin(watched.unwrap_or_default());
            Ok((placer, bound))
        };
        let given = updates_last(graph);
        let (placer, bound) = placer_of(&given)?;
        // The numerics watch counts in one buffer, so that no two dispatches of a watched plan overlap; and it reports
        // the first node in the graph's order.
        if caps.kind.is_software() || watched.is_some() {
            let packing = placer.pack_apart(most);
            return Ok(Layout { order: given, placer, packing, activation_bound: bound });
        }
        let moved = order::order(graph, &placer.nodes, &placer.uses);
        let (moved_placer, moved_bound) = placer_of(&moved)?;
        let least = bound.min(moved_bound);
        let mut best: Option<(usize, u64, bool, Packing)> = None;
        for (is_moved, placer) in [(true, &moved_placer), (false, &placer)] {
            let groups = placer.groups();
            // Each has more groups than the one before and takes less memory.
            let packings: [&dyn Fn() -> Packing; 3] = [
                &|| placer.pack(&groups, most),
                &|| placer.pack(&placer.relaxed(&groups, least), most),
                &|| placer.pack_apart(most),
            ];
            for pack in packings {
                if best.as_ref().is_some_and(|best| best.0 <= groups.len()) {
                    break;
                }
                let packing = pack();
                let (found, bytes) = (placer.packed_groups(&packing).len(), packing.total());
                let fits = bytes <= least.saturating_mul(MOST) / 100;
                let found = if fits { found } else { usize::MAX };
                if best.as_ref().is_none_or(|best| (found, bytes) < (best.0, best.1)) {
                    best = Some((found, bytes, is_moved, packing));
                }
                if fits {
                    break;
                }
            }
        }
        let (_, _, is_moved, packing) = best.expect("there are six layouts");
        let (order, placer) = if is_moved { (moved, moved_placer) } else { (given, placer) };
        Ok(Layout { order, placer, packing, activation_bound: least })
    }
}

/// The graph with its nodes in this order.
pub(super) fn in_order(graph: Graph, order: &[usize]) -> Graph {
    if order.is_sorted() {
        return graph;
    }
    let nodes: Vec<_> = graph.nodes().map(|(_, node)| node.clone()).collect();
    let nodes = order.iter().map(|&number| nodes[number].clone()).collect();
    graph.with_nodes(nodes)
}
