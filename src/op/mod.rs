//! The contract of operators: the trait, and the contexts in which an operator becomes kernels and gradients.
//!
//! The operators themselves are in `ops/`, their f64 twins in `reference/`. `graph/` and this module import each
//! other: a node holds an operator, and an operator sees a graph.

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
pub use caps::{AdapterKind, Caps, CooperativeMatrix, MAX_ITERATIONS};
pub use epilogue::Pointwise;
pub(crate) use epilogue::{Argument, EpilogueOp, reader};
pub use index_map::{IndexMap, Span, Units};
pub(crate) use lower::{ALIGNMENT, Draft, Hook, arena_bytes, run_bytes};
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

    /// The fewest and the most inputs that it takes. The graph refuses any other number, so the other methods can
    /// rely on it.
    fn arity(&self) -> (usize, usize);

    /// The operator for people to read: its name, or several names if operators were fused.
    fn describe(&self) -> String {
        self.name().to_owned()
    }

    /// Types of the outputs for inputs of these types.
    ///
    /// # Errors
    /// The message says expected and found; the graph adds operator and node.
    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String>;

    /// The input that holds class labels or indices, if there is one, and the permitted range. The graph checks
    /// constants, a session checks data written to inputs.
    fn labels(&self, _inputs: &[&TensorType]) -> Option<(usize, LabelRange)> {
        None
    }

    /// Appends the nodes that compute the gradients of the inputs.
    ///
    /// # Errors
    /// The default rule fails: the operator has no gradient.
    fn backward(&self, cx: &mut BackwardContext<'_>) -> Result<()> {
        Err(cx.error("has no gradient"))
    }

    /// The kernel variants that can compute this shape on such an adapter, never empty. The plan takes the first of
    /// [`Operator::preference`] that is among them, unless the user asks for one by name.
    fn variants(&self, _inputs: &[&TensorType], _caps: &Caps) -> Vec<Variant> {
        vec![Variant::DEFAULT]
    }

    /// The variants preferred for this shape.
    fn preference(&self, _inputs: &[&TensorType]) -> Preference {
        Preference::NONE
    }

    /// Records the dispatches of the chosen variant. An element-wise operator ([`Operator::pointwise`]) keeps this
    /// default.
    ///
    /// # Errors
    /// An index that does not fit 32 bits, or a constant that a shader does not have.
    fn lower(&self, cx: &mut LowerContext<'_>) -> Result<()> {
        cx.map()
    }

    /// The WGSL function of an element-wise operator. `None` for all others.
    fn pointwise(&self, _inputs: &[&TensorType]) -> Option<Pointwise> {
        None
    }

    /// Whether every variant stores the first output through `epilogue` ([`LowerContext::dispatch_epilogue`]), so
    /// that a chain of element-wise operators can follow within the kernel. Behind an element-wise operator one
    /// always can.
    fn has_epilogue(&self) -> bool {
        false
    }

    /// For an update by gradients of a scaled loss: the input that holds the scale. Values that depend on it may overflow
    /// without harm, and the numerics watch leaves them out.
    fn loss_scale(&self) -> Option<usize> {
        None
    }

    /// Whether output `output` stays f32 in mixed precision: losses, statistics and other reductions.
    fn keeps_f32(&self, _output: usize) -> bool {
        false
    }

    /// Whether it reads inputs of bytes. The graph hands them to no other operator.
    fn reads_bytes(&self) -> bool {
        false
    }

    /// Whether every f32 of the outputs is an element of the inputs or zero, so that none is newly not finite. The
    /// numerics watch then need not scan the outputs.
    fn only_moves(&self) -> bool {
        false
    }

    /// For an operator with arenas: whether it may change the zeros between their tensors. The numerics watch then
    /// scans tensors one by one.
    fn fills_padding(&self) -> bool {
        false
    }

    /// Pairs (output, input) that share storage: the output is the input's new value.
    fn in_place(&self) -> Vec<(usize, usize)> {
        Vec::new()
    }

    /// Whether the only output is the first input under another shape. Views cost nothing.
    fn is_view(&self) -> bool {
        false
    }

    /// For a mean over the micro-batches of a step ([`MicroBatchMean`](crate::ops::micro_batch_mean::MicroBatchMean)): how
    /// many they are.
    fn micro_batches(&self) -> Option<usize> {
        None
    }

    /// Whether a step of several micro-batches runs it once, with the optimizer's updates, instead of for each.
    fn runs_once(&self) -> bool {
        false
    }

    /// For an optimizer's update: ranges of inputs that must lie in one arena each (parameters, gradients, state),
    /// all in the same order.
    fn arenas(&self) -> Vec<std::ops::Range<usize>> {
        Vec::new()
    }

    /// Largest difference from the reference that f32 rounding explains, relative to the reference's largest
    /// magnitude.
    fn tolerance(&self) -> f64 {
        1e-5
    }

    /// The most terms that this variant adds one after the other for one element of an output; 1 if it adds none.
    /// [`Session::verify`](crate::Session::verify) allows for the rounding of so many.
    fn serial_terms(&self, _inputs: &[&TensorType], _variant: Variant) -> u64 {
        1
    }

    /// Multiply-adds per run, as reported by [`Graph::summary`](crate::Graph::summary); zero for operators other than
    /// products and convolutions.
    fn multiply_adds(&self, _inputs: &[&TensorType]) -> u64 {
        0
    }

    /// Floating-point operations per run. By default, two for each multiply-add; for an element-wise operator, one for
    /// each element of the output.
    fn flops(&self, inputs: &[&TensorType]) -> u64 {
        match self.pointwise(inputs) {
            Some(_) => self.infer(inputs).map_or(0, |outputs| outputs[0].shape.elements() as u64),
            None => 2 * self.multiply_adds(inputs),
        }
    }
}
