//! Where a step's gradients are complete: which dispatches make them, which update by them, in which parts of memory they
//! come to an end one after the other, and where micro-batches meet on the way. Training over several ranks sums them there
//! ([`DataParallel`](crate::session::DataParallel)).

use super::{BufferKind, Place, Plan};
use crate::error::{Error, Result};
use crate::graph::{Graph, Node, Source, Value};
use crate::op::arena_bytes;
use crate::shader::Access;
#[cfg(not(target_arch = "wasm32"))]
use crate::tensor::DType;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// Gradients that are complete together, long before the others are.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Bucket {
    /// Where they lie: number of one of [`Plan::buffers`], and bytes in it.
    pub parts: Vec<(usize, Range<u64>)>,
    /// The dispatches of a step after which they are complete: so many of [`Plan::dispatches`].
    pub complete_after: usize,
}

impl Bucket {
    /// Size in bytes.
    pub fn bytes(&self) -> u64 {
        self.parts.iter().map(|(_, part)| part.end - part.start).sum()
    }
}

/// A mean over micro-batches that a step stops for.
#[cfg(not(target_arch = "wasm32"))]
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Meeting {
    /// The dispatches of a step behind which it is: so many of [`Plan::dispatches`].
    pub after: usize,
    /// Where each micro-batch's part is and the mean has to be: number of one of [`Plan::buffers`], and bytes in it.
    pub buffer: usize,
    pub bytes: Range<u64>,
    /// How many micro-batches the graph was made for.
    pub micro_batches: usize,
}

/// For each node, whether it updates by gradients, follows from such an update, or runs once a step as updates do.
pub(super) fn updates(graph: &Graph) -> Vec<bool> {
    let mut updated: BTreeSet<Value> = BTreeSet::new();
    let mut updates = Vec::with_capacity(graph.nodes().len());
    for (_, node) in graph.nodes() {
        let is_update = is_update(graph, node)
            || node.operator.runs_once()
            || node.inputs.iter().any(|input| updated.contains(input));
        if is_update {
            updated.extend(&node.outputs);
        }
        updates.push(is_update);
    }
    updates
}

fn is_update(graph: &Graph, node: &Node) -> bool {
    let is_gradient = |&value: &Value| matches!(graph.info(graph.storage(value)).source, Source::Node { .. });
    node.operator.arenas().into_iter().flatten().any(|input| is_gradient(&node.inputs[input]))
}

impl Plan {
    /// The number of the first dispatch that updates parameters by their gradients. All before it make gradients and
    /// nothing else that outlives the step, except for state such as running statistics; all from it on follow from the
    /// updates.
    ///
    /// # Errors
    /// A graph without an optimizer, or one in which a node that is not an update comes after one, such as a second loss
    /// that sees the first one's update.
    pub fn first_update(&self) -> Result<usize> {
        let updates = updates(&self.graph);
        let of_step = || self.steps.iter().zip(&updates).filter(|(step, _)| !step.dispatches.is_empty());
        let Some((first, _)) = of_step().find(|(_, is_update)| **is_update) else {
            return Err(Error::Graph(
                "the graph has no optimizer, so there are no gradients to sum; add one by minimize".into(),
            ));
        };
        let first = first.dispatches.start;
        match of_step().find(|(step, is_update)| !**is_update && step.dispatches.start > first) {
            None => Ok(first),
            Some((step, _)) => Err(Error::Graph(format!(
                "\"{}\" comes after an optimizer's update, so the gradients are not all there before it; compute all gradients first (Graph::backward, Optimizer::apply), or train the parts by sessions of their own",
                self.graph.node_at(step.node).name
            ))),
        }
    }

    /// The gradients in the order in which they become complete, in buckets of at least so many bytes each, except for the
    /// last. A gradient is never parted.
    ///
    /// ```
    /// # fn main() -> wgrad::Result<()> {
    /// use wgrad::op::AdapterKind;
    /// use wgrad::optim::Sgd;
    /// use wgrad::{Caps, Graph, Mode, Plan, nn, nn::Layer};
    ///
    /// let mut g = Graph::new();
    /// let (images, labels) = (g.input("images", [8, 3, 64, 64])?, g.input_i32("labels", 8)?);
    /// let logits = nn::models::resnet18(3, 10).forward(&mut g, images, Mode::Train)?;
    /// let loss = g.cross_entropy(logits, labels)?;
    /// let rate = g.input_scalar("learning_rate")?;
    /// Sgd::new(rate).minimize(&mut g, loss)?;
    /// let plan = Plan::new(&g, &[loss], &Caps::webgpu_defaults(AdapterKind::Software))?;
    /// let buckets = plan.buckets(4 << 20)?;
    /// // The last block has most of the parameters, and the backward pass begins with it.
    /// assert!(buckets.len() > 4 && buckets[0].complete_after < buckets[1].complete_after);
    /// assert!(buckets[0].complete_after < plan.first_update()? * 3 / 4);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Plan::first_update`].
    pub fn buckets(&self, bytes: u64) -> Result<Vec<Bucket>> {
        let first_update = self.first_update()?;
        // Each gradient: when it is complete, and where it lies.
        let mut gradients: Vec<(usize, usize, Range<u64>)> = Vec::new();
        for (&value, &(page, _)) in &self.arenas.places {
            if self.arenas.pages[page].kind == BufferKind::Gradients
                && let Some(Place::Owned { buffer, offset, .. }) = self.place(value)
            {
                let end = offset + arena_bytes(&self.graph.info(value).ty);
                gradients.push((0, buffer, offset..end));
            }
        }
        gradients.sort_by_key(|(_, buffer, part)| (*buffer, part.start));
        let mut of_buffer: BTreeMap<usize, Range<usize>> = BTreeMap::new();
        for (i, (_, buffer, _)) in gradients.iter().enumerate() {
            of_buffer.entry(*buffer).or_insert(i..i).end = i + 1;
        }
        for (number, dispatch) in self.dispatches[..first_update].iter().enumerate() {
            for binding in dispatch.bindings.iter().filter(|binding| binding.access == Access::Write) {
                if let Place::Owned { buffer, offset, bytes } = binding.place
                    && let Some(all) = of_buffer.get(&buffer)
                {
                    let written = offset..offset + bytes;
                    for (complete, _, part) in &mut gradients[all.clone()] {
                        if part.start < written.end && written.start < part.end {
                            *complete = number + 1;
                        }
                    }
                }
            }
        }
        // What updates make on their way, such as the steps of Muon, lies among gradients too.
        gradients.retain(|&(complete, ..)| complete > 0);
        gradients.sort_by_key(|&(complete, ..)| complete);
        let mut buckets: Vec<Bucket> = Vec::new();
        for (complete_after, buffer, part) in gradients {
            match buckets.last_mut().filter(|bucket| bucket.bytes() < bytes) {
                Some(bucket) => {
                    bucket.parts.push((buffer, part));
                    bucket.complete_after = complete_after;
                }
                None => buckets.push(Bucket { parts: vec![(buffer, part)], complete_after }),
            }
        }
        buckets.iter_mut().for_each(|bucket| bucket.parts = joined(std::mem::take(&mut bucket.parts)));
        Ok(buckets)
    }

    /// The first gradient that an update takes in f16.
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn gradient_in_f16(&self) -> Option<Value> {
        self.arenas.places.keys().copied().find(|&value| self.graph.info(value).ty.dtype == DType::F16)
    }

    /// The means over micro-batches, in order.
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn meetings(&self) -> Vec<Meeting> {
        let meeting = |step: &super::Step| {
            let node = self.graph.node_at(step.node);
            let micro_batches = node.operator.micro_batches()?;
            // An output without a reader has no place.
            let Some(Place::Owned { buffer, offset, bytes }) = self.place(node.outputs[0]) else {
                return None;
            };
            let (after, bytes) = (step.dispatches.end, offset..offset + bytes);
            Some(Meeting { after, buffer, bytes, micro_batches })
        };
        self.steps.iter().filter_map(meeting).collect()
    }

    /// State that a step updates before its gradients are complete, such as running statistics, by storage.
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn updated_on_the_way(&self) -> Vec<Value> {
        let updates = updates(&self.graph);
        let others = self.graph.nodes().zip(&updates).filter(|(_, is_update)| !**is_update);
        let mut state: Vec<Value> = others
            .flat_map(|((_, node), _)| {
                node.operator.in_place().into_iter().map(|(_, input)| self.graph.storage(node.inputs[input]))
            })
            .filter(|&value| matches!(self.graph.info(value).source, Source::State { .. }))
            .collect();
        state.sort();
        state.dedup();
        state
    }
}

/// The order of a graph's nodes in which updates come last, or the given order where a node behind an update writes what
/// the update's own nodes use.
pub(super) fn updates_last(graph: &Graph) -> Vec<usize> {
    let updates = updates(graph);
    let given: Vec<usize> = (0..updates.len()).collect();
    let mut used: BTreeSet<Value> = BTreeSet::new();
    for ((_, node), is_update) in graph.nodes().zip(&updates) {
        let storages =
            |values: &[Value]| values.iter().map(|&value| graph.storage(value)).collect::<Vec<_>>();
        if *is_update {
            used.extend(storages(&node.inputs));
        } else if node
            .operator
            .in_place()
            .iter()
            .any(|&(_, input)| used.contains(&graph.storage(node.inputs[input])))
        {
            return given;
        }
    }
    let (last, mut order): (Vec<usize>, Vec<usize>) = given.into_iter().partition(|&node| updates[node]);
    order.extend(last);
    order
}

/// Parts of buffers in order, with those joined that follow each other.
fn joined(mut parts: Vec<(usize, Range<u64>)>) -> Vec<(usize, Range<u64>)> {
    parts.sort_by_key(|(buffer, part)| (*buffer, part.start));
    let mut joined: Vec<(usize, Range<u64>)> = Vec::with_capacity(parts.len());
    for (buffer, part) in parts {
        match joined.last_mut().filter(|last| last.0 == buffer && last.1.end == part.start) {
            Some(last) => last.1.end = part.end,
            None => joined.push((buffer, part)),
        }
    }
    joined
}
