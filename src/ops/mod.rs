//! Operators: attributes, shape rule, backward rule and the kernels they become.
//!
//! One file a family. What an operator computes stands twice more, on purpose: as WGSL in
//! `shaders/` and as f64 loops in `reference/`. Nothing here touches a GPU.

pub mod argmax;
pub mod arithmetic;
mod axes;
pub mod batch_norm;
pub mod concatenate;
pub mod conv2d;
pub mod correct;
pub mod cross_entropy;
pub mod dropout;
pub mod elementwise;
pub mod embedding;
pub mod expand;
pub(crate) mod gemm;
pub mod linear;
pub mod local_response_norm;
mod loops;
pub mod loss;
pub mod matmul;
pub mod optimizer;
pub mod pad;
mod parts;
pub mod permute;
pub mod pointwise;
pub mod pool2d;
pub mod prelu;
mod range_sum;
pub mod reduce;
pub(crate) mod reduction;
pub mod reshape;
pub mod row_loss;
pub mod row_norm;
pub mod sample_moments;
mod serial;
pub mod slice;
pub mod softmax;
mod strided_copy;

pub mod unary;
pub mod upsample;
mod vector_norm;

use crate::error::Result;
use crate::graph::{BackwardContext, LabelRange};
use crate::plan::{Caps, LowerContext, choice};
use crate::reference::Array;
use crate::tensor::TensorType;
use pointwise::Pointwise;
use std::any::Any;
use std::fmt::Debug;

/// One operation on tensors: a node of the graph applies it to values.
///
/// Backward kernels and optimizer updates are operators like any other.
pub trait Operator: Any + Debug + Send + Sync {
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

    /// Names of the kernel variants that can compute this shape on such an adapter, never empty.
    /// Which of them is taken is the plan's choice (`plan/choice.rs`).
    fn variants(&self, _inputs: &[&TensorType], _caps: &Caps) -> Vec<&'static str> {
        vec!["default"]
    }

    /// What is particular about this shape, for the choice among variants: a class that
    /// `plan/choice.rs` has a row for, or `any`.
    fn shape_class(&self, _inputs: &[&TensorType]) -> &'static str {
        choice::ANY
    }

    /// Records the dispatches of the variant that was chosen.
    ///
    /// # Errors
    /// An index that does not fit 32 bits, or a constant that a shader does not have.
    fn lower(&self, cx: &mut LowerContext<'_>) -> Result<()>;

    /// The outputs in f64. State that is updated in place comes as input with its old value and
    /// as output with its new one.
    fn reference(&self, inputs: &[&Array]) -> Vec<Array>;

    /// For an operator that works element by element: how it makes one. [`pointwise`] has the rest.
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
    fn serial_terms(&self, _inputs: &[&TensorType], _variant: &str) -> u64 {
        1
    }

    /// For an output that is sums whose terms may cancel: the largest sum of the terms' magnitudes. Rounding grows with that, not with
    /// the result, which is all rounding where the terms cancel: the gradient of a bias that batch
    /// norm takes away again is zero. Verifying measures errors against the larger of the two.
    fn largest_sum_of_terms(&self, _output: usize, _inputs: &[&Array]) -> Option<f64> {
        None
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
