//! The parts of a plan: buffers, places in them, dispatches and steps.

use super::BufferKind;
use crate::graph::{NodeId, Value};
use crate::op::Variant;
use crate::shader::{Access, Kernel};
use std::ops::Range;

/// A buffer that the plan owns.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct BufferPlan {
    /// Kind of its contents.
    pub kind: BufferKind,
    /// Size in bytes.
    pub bytes: u64,
    /// For inputs and constants, the value it holds.
    pub value: Option<Value>,
}

/// Where an operand lies.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Place {
    /// In a buffer of the plan.
    Owned {
        /// Number of the buffer.
        buffer: usize,
        /// Start, in bytes.
        offset: u64,
        /// Length, in bytes.
        bytes: u64,
    },
    /// In the weights, from the start of this parameter or state.
    Stored {
        /// The first tensor.
        value: Value,
        /// Length, in bytes.
        bytes: u64,
    },
}

impl Place {
    /// Length, in bytes.
    pub fn bytes(&self) -> u64 {
        match *self {
            Place::Owned { bytes, .. } | Place::Stored { bytes, .. } => bytes,
        }
    }
}

/// One binding of a dispatch.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub struct Binding {
    /// Number in the shader.
    pub index: u32,
    /// How the shader uses it.
    pub access: Access,
    /// The bound memory.
    pub place: Place,
    /// For a run in an arena: the tensors it holds, in order.
    pub run: Vec<Value>,
}

/// One launch of a kernel.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Dispatch {
    /// The kernel.
    pub kernel: Kernel,
    /// Its bindings, in the order of their numbers.
    pub bindings: Vec<Binding>,
    /// Workgroups in x, y and z.
    pub workgroups: [u32; 3],
    /// Floating-point operations.
    pub flops: u64,
}

/// A node and its dispatches.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Step {
    /// The node.
    pub node: NodeId,
    /// The kernel variant.
    pub variant: Variant,
    /// Why it was chosen.
    pub why: String,
    /// Its part of [`Plan::dispatches`](super::Plan::dispatches). Empty for a view.
    pub dispatches: Range<usize>,
}
