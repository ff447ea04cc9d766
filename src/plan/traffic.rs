//! A step's memory traffic, counted from the plan: bytes that kernels move through global memory against the least
//! possible, and bytes uploaded. Nothing here is measured.

use super::{Binding, Dispatch, Place, Plan, Step};
use crate::graph::{Node, Source, Value};
use crate::shader::Access;
use std::collections::{BTreeSet, HashSet};
use std::fmt;
use std::iter::Sum;
use std::ops::Add;

/// Bytes of global memory that kernels read and write, and the least possible.
///
/// A dispatch counts as reading or writing every range that it binds once, and as doing both where it updates a
/// tensor in place. This assumes that caches serve every repeated read within a dispatch, and that none lasts from
/// one dispatch to the next.
///
/// At best a node reads each of its inputs once, writes each output that is read later once, and needs no scratch
/// memory.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Traffic {
    /// Bytes read.
    pub read: u64,
    /// Bytes written.
    pub written: u64,
    /// Least possible bytes read.
    pub least_read: u64,
    /// Least possible bytes written.
    pub least_written: u64,
}

impl Traffic {
    /// Bytes read and written.
    pub fn total(&self) -> u64 {
        self.read + self.written
    }

    /// Least possible bytes read and written.
    pub fn least(&self) -> u64 {
        self.least_read + self.least_written
    }
}

impl Add for Traffic {
    type Output = Traffic;

    fn add(self, other: Traffic) -> Traffic {
        Traffic {
            read: self.read + other.read,
            written: self.written + other.written,
            least_read: self.least_read + other.least_read,
            least_written: self.least_written + other.least_written,
        }
    }
}

impl Sum for Traffic {
    fn sum<I: Iterator<Item = Traffic>>(traffic: I) -> Traffic {
        traffic.fold(Traffic::default(), Add::add)
    }
}

impl Plan {
    /// Memory traffic of a whole step.
    pub fn traffic(&self) -> Traffic {
        self.traffic_by_step().into_iter().sum()
    }

    /// Memory traffic of each of [`Plan::steps`].
    pub fn traffic_by_step(&self) -> Vec<Traffic> {
        let mut wanted: BTreeSet<Value> = self.outputs.iter().map(|&v| self.graph.storage(v)).collect();
        for step in &self.steps {
            wanted.extend(self.graph.node_at(step.node).inputs.iter().map(|&v| self.graph.storage(v)));
        }
        self.steps.iter().map(|step| self.traffic_of(step, &wanted)).collect()
    }

    /// Bytes that a step uploads if every input is written before it.
    pub fn uploaded_bytes(&self) -> u64 {
        let uploaded = |v: Value| matches!(self.graph.info(v).source, Source::Input | Source::StepCounter);
        self.buffers.iter().filter(|b| b.value.is_some_and(uploaded)).map(|b| b.bytes).sum()
    }

    /// `wanted` are the storages that some node or the user reads.
    fn traffic_of(&self, step: &Step, wanted: &BTreeSet<Value>) -> Traffic {
        let node = self.graph.node_at(step.node);
        let mut traffic = Traffic::default();
        if step.dispatches.is_empty() {
            return traffic;
        }
        let updated = Updated::of(self, node);
        for dispatch in &self.dispatches[step.dispatches.clone()] {
            traffic = traffic + self.moved(&updated, dispatch);
        }
        let bytes = |values: BTreeSet<Value>| values.iter().map(|&v| self.graph.info(v).ty.bytes()).sum();
        let storages =
            |values: &[Value]| values.iter().map(|&v| self.graph.storage(v)).collect::<BTreeSet<_>>();
        traffic.least_read = bytes(storages(&node.inputs));
        traffic.least_written = bytes(storages(&node.outputs).intersection(wanted).copied().collect());
        traffic
    }

    fn moved(&self, updated: &Updated, dispatch: &Dispatch) -> Traffic {
        let mut traffic = Traffic::default();
        for binding in &dispatch.bindings {
            let bytes = binding.place.bytes();
            if binding.access == Access::Write {
                traffic.written += bytes;
            }
            if binding.access == Access::Read || updated.has(self, binding) {
                traffic.read += bytes;
            }
        }
        traffic
    }

    /// The closing lines of the plan's text.
    pub(super) fn print_counts(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let traffic = self.traffic();
        writeln!(
            f,
            "kernels read {} and write {} bytes of memory; {} and {} at the least",
            traffic.read, traffic.written, traffic.least_read, traffic.least_written
        )?;
        writeln!(
            f,
            "a step uploads {} bytes at the most, reads nothing back and allocates nothing",
            self.uploaded_bytes()
        )
    }
}

/// The tensors that a node updates in place.
struct Updated {
    storages: BTreeSet<Value>,
    places: HashSet<Place>,
}

impl Updated {
    fn of(plan: &Plan, node: &Node) -> Updated {
        let outputs: Vec<Value> =
            node.operator.in_place().iter().map(|&(output, _)| node.outputs[output]).collect();
        Updated {
            storages: outputs.iter().map(|&value| plan.graph.storage(value)).collect(),
            places: outputs.iter().filter_map(|&value| plan.place(value)).collect(),
        }
    }

    /// Whether a binding holds the old value of a tensor and takes the new one.
    fn has(&self, plan: &Plan, binding: &Binding) -> bool {
        match binding.run.first() {
            None => self.places.contains(&binding.place),
            Some(_) => binding.run.iter().any(|&v| self.storages.contains(&plan.graph.storage(v))),
        }
    }
}
