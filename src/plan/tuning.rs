//! Measured choices of kernel variants, as data. Planning only looks them up; `tune/` measures them.

use super::Precision;
use crate::graph::{Graph, Node, Value};
use crate::op::{Caps, Operator, Variant};
use crate::ops::chain::Chain;
use crate::tensor::{DType, TensorType};
use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;

/// The kernel variants that were chosen by measuring, by operator and shapes, for one adapter and driver.
///
/// [`PlanOptions::tune`](crate::PlanOptions::tune) measures them, and [`PlanOptions::tuned`](crate::PlanOptions::tuned)
/// has a plan take them. With the same choices a plan is the same every time.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Tuning {
    pub(crate) choices: BTreeMap<TuningKey, TunedChoice>,
}

/// What a choice holds for: an operator with its attributes and its epilogue, and the types of its inputs.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
pub struct TuningKey {
    /// The operator for people to read, with those that are fused into it: `conv2d + relu`.
    pub operator: String,
    /// Attributes, as `Debug` writes the operator.
    pub attributes: String,
    /// Types of the inputs: `f32[64, 8, 28, 28]`. If only some of several outputs are read, their numbers follow:
    /// `reads 0`. In plans of mixed precision, `mixed precision` follows; what they keep in f16 counts as f32 here.
    pub types: Vec<String>,
}

/// A choice, and what it was chosen by.
#[derive(Clone, PartialEq, Debug, Default)]
#[non_exhaustive]
pub struct TunedChoice {
    /// Name of the chosen variant.
    pub variant: String,
    /// Seconds of each variant that agreed with the reference, by name.
    pub seconds: BTreeMap<String, f64>,
    /// What was wrong with each variant that did not, by name. Nothing takes these.
    pub refused: BTreeMap<String, String>,
}

impl Tuning {
    /// Number of choices.
    pub fn len(&self) -> usize {
        self.choices.len()
    }

    /// Whether there are no choices.
    pub fn is_empty(&self) -> bool {
        self.choices.is_empty()
    }

    /// The choices in the order of their keys.
    pub fn choices(&self) -> impl Iterator<Item = (&TuningKey, &TunedChoice)> {
        self.choices.iter()
    }

    /// Chooses by hand: `choice` for this key, instead of an earlier one.
    pub fn insert(&mut self, key: TuningKey, choice: TunedChoice) {
        self.choices.insert(key, choice);
    }

    /// The choice for a key.
    pub fn get(&self, key: &TuningKey) -> Option<&TunedChoice> {
        self.choices.get(key)
    }

    /// The chosen one of the variants that an operator offers, and the reason.
    pub(crate) fn pick(&self, key: &TuningKey, offered: &[Variant]) -> Option<(Variant, String)> {
        let choice = self.choices.get(key)?;
        if choice.refused.contains_key(&choice.variant) {
            return None;
        }
        let variant = *offered.iter().find(|offered| offered.name() == choice.variant)?;
        let others = choice.seconds.iter().filter(|(name, _)| **name != choice.variant);
        let next = others.min_by(|a, b| a.1.total_cmp(b.1));
        let why = match (choice.seconds.get(&choice.variant), next) {
            (Some(&own), Some((name, &seconds))) => {
                format!("measured {}, {name} {}", Time(own), Time(seconds))
            }
            _ => "chosen by measuring".into(),
        };
        Some((variant, why))
    }
}

impl TuningKey {
    /// The key of a node of a planned graph, or of the graph that a plan is being made for. `read` says which of its outputs
    /// anything reads.
    pub(crate) fn of(graph: &Graph, node: &Node, read: &[bool], precision: Precision) -> TuningKey {
        let operator: &dyn Any = node.operator.as_ref();
        // The links of a chain have their names in its description; their attributes cost nothing.
        let head: &dyn Operator = match operator.downcast_ref::<Chain>() {
            Some(chain) => chain.head.as_ref(),
            None => node.operator.as_ref(),
        };
        let ty = |&value: &Value| {
            let ty = &graph.info(value).ty;
            let dtype = if ty.dtype == DType::F16 { DType::F32 } else { ty.dtype };
            TensorType { dtype, ..ty.clone() }.to_string()
        };
        let mut types: Vec<String> = node.inputs.iter().map(ty).collect();
        if read.contains(&false) {
            let read = read.iter().enumerate().filter(|(_, read)| **read);
            let numbers: Vec<String> = read.map(|(i, _)| i.to_string()).collect();
            types.push(format!("reads {}", numbers.join(", ")));
        }
        if precision == Precision::Mixed {
            types.push("mixed precision".into());
        }
        TuningKey { operator: node.operator.describe(), attributes: format!("{head:?}"), types }
    }
}

impl fmt::Display for TuningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({})", self.operator, self.types.join(", "))
    }
}

/// Seconds, for people to read.
pub(crate) struct Time(pub f64);

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            s if s < 1e-3 => write!(f, "{:.1} us", s * 1e6),
            s if s < 1.0 => write!(f, "{:.2} ms", s * 1e3),
            s if s < 1e6 => write!(f, "{s:.2} s"),
            // Nothing measured takes that long, but estimates and what users choose by hand may be any numbers.
            s => write!(f, "{s:.2e} s"),
        }
    }
}

#[cfg(not(target_arch = "wasm32"))]
/// For each node of a planned graph, which of its outputs a node or the user reads.
pub(crate) fn read_outputs(graph: &Graph, outputs: &[Value]) -> Vec<Vec<bool>> {
    let inputs = graph.nodes().flat_map(|(_, node)| node.inputs.iter().copied());
    let read: std::collections::BTreeSet<Value> = inputs.chain(outputs.iter().copied()).collect();
    graph.nodes().map(|(_, node)| node.outputs.iter().map(|value| read.contains(value)).collect()).collect()
}

/// The variants that a node's operator offers to a plan of this precision.
pub(crate) fn offered(graph: &Graph, node: &Node, caps: &Caps, precision: Precision) -> Vec<Variant> {
    let types: Vec<&TensorType> = node.inputs.iter().map(|&value| &graph.info(value).ty).collect();
    let mut offered = node.operator.variants(&types, caps);
    offered.retain(|variant| precision == Precision::Mixed || !variant.is_in_f16());
    offered
}
