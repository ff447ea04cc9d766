//! The contract of operators: what one is, and what it sees when it becomes kernels and gradients.
//!
//! The operators themselves are in `ops/`, their f64 twins in `reference/`, and graphs of them in
//! `graph/`, which is the other half of a pair: a node holds an operator, an operator sees a graph.

mod backward;
mod caps;
mod epilogue;
mod index_map;
mod lower;
mod map;
pub(crate) mod occupancy;
mod reference;
mod variant;

pub use backward::BackwardContext;
pub use caps::{AdapterKind, Caps, MAX_ITERATIONS};
pub use epilogue::Pointwise;
pub(crate) use epilogue::{EpilogueOp, WATCH, reader};
pub use index_map::{IndexMap, Span, Units};
pub(crate) use lower::{ARENA_ALIGNMENT, Draft, Hook, arena_bytes, run_bytes};
pub use lower::{LowerContext, Operand};
pub use reference::{Array, Reference};
pub use variant::{Preference, Variant};

use crate::error::Result;
use crate::graph::LabelRange;
use crate::tensor::TensorType;
use std::any::Any;
use std::fmt::Debug;

/// One operation on tensors: a node of the graph applies it to values.
///
/// Backward kernels and optimizer updates are operators like any other.
pub trait Operator: Any + Debug + Send + Sync + Reference {
    /// The stem of its files and the word that errors use, for example `conv2d_grad_weight`.
    fn name(&self) -> &'static str;

    /// How many inputs it takes, at the least and at the most. The graph refuses any other number, so that the
    /// methods below find every input they name.
    fn arity(&self) -> (usize, usize);

    /// What the node does, for people: the name, or several where operators were fused.
    fn describe(&self) -> String {
        self.name().to_owned()
    }

    /// Types of the outputs for inputs of these types.
    ///
    /// # Errors
    /// The message says expected and found; the graph adds operator and node.
    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String>;

    /// For an input of class labels or indices: which input it is, and what the labels may be. The graph checks
    /// constants, a session checks what is written to inputs.
    fn labels(&self, _inputs: &[&TensorType]) -> Option<(usize, LabelRange)> {
        None
    }

    /// Appends the nodes that compute the gradients of the inputs.
    ///
    /// # Errors
    /// By default that the operator has no gradient.
    fn backward(&self, cx: &mut BackwardContext<'_>) -> Result<()> {
        Err(cx.error("has no gradient"))
    }

    /// The kernel variants that can compute this shape on such an adapter, never empty. The plan takes the first
    /// of [`Operator::preference`] that is among them, unless one is asked for by name.
    fn variants(&self, _inputs: &[&TensorType], _caps: &Caps) -> Vec<Variant> {
        vec![Variant::DEFAULT]
    }

    /// Which variants are preferred for this shape.
    fn preference(&self, _inputs: &[&TensorType]) -> Preference {
        Preference::NONE
    }

    /// Records the dispatches of the variant that was chosen. An element-wise operator ([`Operator::pointwise`])
    /// needs no rule of its own.
    ///
    /// # Errors
    /// An index that does not fit 32 bits, or a constant that a shader does not have.
    fn lower(&self, cx: &mut LowerContext<'_>) -> Result<()> {
        cx.map()
    }

    /// For an operator that works element by element: how it makes one. [`Pointwise`] has the rest.
    fn pointwise(&self, _inputs: &[&TensorType]) -> Option<Pointwise> {
        None
    }

    /// Whether every variant stores the first output through `epilogue` ([`LowerContext::dispatch_epilogue`]),
    /// so that a chain of operators that work element by element can follow within the kernel. Behind
    /// such an operator one always can.
    fn has_epilogue(&self) -> bool {
        false
    }

    /// Whether every f32 of the outputs is one of the inputs' or zero, so that what is not finite in them was not
    /// finite before. Only the numerics watch asks, which then need not scan outputs.
    fn only_moves(&self) -> bool {
        false
    }

    /// For an operator with arenas: whether it may turn the zeros between their tensors into other numbers. The
    /// numerics watch then looks at tensors one by one.
    fn fills_padding(&self) -> bool {
        false
    }

    /// Pairs (output, input) that share storage: the output is the input's new value.
    fn in_place(&self) -> Vec<(usize, usize)> {
        Vec::new()
    }

    /// Whether the only output is the first input under another shape, at no cost.
    fn is_view(&self) -> bool {
        false
    }

    /// For an optimizer's update: runs of inputs that must lie in one arena each, all in the same
    /// order (parameters, gradients, state). Each run is a range of input indices.
    fn arenas(&self) -> Vec<std::ops::Range<usize>> {
        Vec::new()
    }

    /// Largest difference from the reference, over the reference's largest magnitude, that f32
    /// rounding explains.
    fn tolerance(&self) -> f64 {
        1e-5
    }

    /// Terms that this variant adds one after the other for one element of an output, at most; 1 where it adds none.
    /// Verifying allows for what rounding makes of so many (`session::verify`).
    fn serial_terms(&self, _inputs: &[&TensorType], _variant: Variant) -> u64 {
        1
    }

    /// Multiply-adds of one run of a product or a convolution, of which the size of a network is told;
    /// none for any other operator.
    fn multiply_adds(&self, _inputs: &[&TensorType]) -> u64 {
        0
    }

    /// Floating-point operations of one run, a multiply-add counted as two.
    fn flops(&self, inputs: &[&TensorType]) -> u64 {
        2 * self.multiply_adds(inputs)
    }
}
