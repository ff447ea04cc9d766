//! Checks that a replacement changes nothing for other nodes. Their cost grows with the replacement only.

use super::{Group, Places, Rewrite, Slot};
use crate::graph::{Source, Value};
use std::collections::{BTreeMap, BTreeSet};

impl Rewrite<'_> {
    /// Whether every node still finds its inputs made and not overwritten, and some node makes every value that the
    /// user may read.
    pub(super) fn is_sound(&self, groups: &[Group], places: &Places) -> bool {
        let gone: BTreeSet<Slot> = groups.iter().flat_map(|group| group.members.iter().copied()).collect();
        // By value: where a new node makes it.
        let mut made: BTreeMap<Value, (u64, usize)> = BTreeMap::new();
        for (group, &place) in groups.iter().zip(places) {
            for (i, node) in group.nodes.iter().enumerate() {
                made.extend(node.outputs.iter().map(|&output| (output, (self.order(place), i))));
            }
        }
        let dropped_is_unread = gone.iter().flat_map(|&slot| &self.node(slot).outputs).all(|output| {
            made.contains_key(output)
                || (!self.kept.contains(output) && self.consumers[output.index].is_subset(&gone))
        });
        dropped_is_unread
            && groups.iter().zip(places).all(|(group, &place)| {
                let here = self.order(place);
                group.nodes.iter().enumerate().all(|(i, node)| {
                    let found = node.inputs.iter().all(|&input| {
                        let is_made = match (made.get(&input), self.made_by[input.index]) {
                            (Some(&at), _) => at < (here, i),
                            (None, Some((slot, _))) => !gone.contains(&slot) && self.order(slot) < here,
                            (None, None) => !matches!(
                                self.graph.info(input).source,
                                Source::Node { .. } | Source::Dropped
                            ),
                        };
                        is_made && self.is_newest(input, here, &made, &gone)
                    });
                    let reads_later = |output: &Value| {
                        let readers = self.consumers[output.index].iter();
                        readers.filter(|slot| !gone.contains(slot)).all(|&slot| self.order(slot) > here)
                    };
                    found
                        && !(self.is_in_arena(&node.inputs) && self.is_in_arena(&node.outputs))
                        && node.outputs.iter().all(reads_later)
                        && node.operator.in_place().iter().all(|&(output, _)| {
                            self.overwrites_only_what_was_read(node.outputs[output], here, &made, &gone)
                        })
                })
            })
    }

    /// Whether one of these values is a gradient that lies in an arena.
    fn is_in_arena(&self, values: &[Value]) -> bool {
        let of_node = |value: &&Value| {
            let root = &self.graph.info(self.graph.storage(**value)).source;
            matches!(root, Source::Node { .. } | Source::Dropped)
        };
        let mut values = values.iter().filter(of_node);
        values.any(|value| self.in_arenas.contains(&self.families[value.index]))
    }

    /// Whether a node that stands at `here` may still read the value.
    fn is_newest(
        &self,
        value: Value,
        here: u64,
        made: &BTreeMap<Value, (u64, usize)>,
        gone: &BTreeSet<Slot>,
    ) -> bool {
        let Some(family) = self.written.get(&self.families[value.index]) else { return true };
        let newer = family.newer.partition_point(|&newer| newer <= value);
        family.newer[newer..].iter().all(|&newer| match (made.get(&newer), self.made_by[newer.index]) {
            // The node that overwrites a value may read it too.
            (Some(&(at, _)), _) => at >= here,
            (None, Some((slot, _))) => gone.contains(&slot) || self.order(slot) > here,
            (None, None) => true,
        })
    }

    /// Whether all nodes that read or write older values in a storage stand before `here`.
    fn overwrites_only_what_was_read(
        &self,
        written: Value,
        here: u64,
        made: &BTreeMap<Value, (u64, usize)>,
        gone: &BTreeSet<Slot>,
    ) -> bool {
        let Some(family) = self.written.get(&self.families[written.index]) else { return true };
        family.values.iter().filter(|&&value| value < written).all(|value| {
            let maker = match made.get(value) {
                Some(&(at, _)) => at < here,
                None => self.made_by[value.index].is_none_or(|(slot, _)| self.order(slot) < here),
            };
            let readers = self.consumers[value.index].iter();
            maker && readers.filter(|slot| !gone.contains(slot)).all(|&slot| self.order(slot) < here)
        })
    }
}
