//! Broadcast shapes, the sum over broadcast dimensions, and a plain copy. The operators that broadcast are in
//! `arithmetic`.

use super::pack::pack;
use super::reduction;
use crate::error::Result;
use crate::op::{BackwardContext, Caps, LowerContext, Operator, Preference, Variant};
use crate::shader::parts;
use crate::tensor::{Shape, TensorType};

/// Number of dimensions in kernels. Shapes with fewer are padded with ones.
pub(super) const RANK: usize = 6;

/// Sums over the dimensions along which `shape` was stretched: the gradient of broadcasting.
#[derive(Clone, Debug, PartialEq)]
pub struct SumTo {
    /// The shape before broadcasting.
    pub shape: Shape,
}

impl Operator for SumTo {
    fn name(&self) -> &'static str {
        "sum_to"
    }

    fn arity(&self) -> (usize, usize) {
        (1, 1)
    }

    fn keeps_f32(&self, _output: usize) -> bool {
        true
    }

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        let from = &inputs[0].shape;
        match broadcast(&self.shape, from) {
            Ok(shape) if shape == *from => Ok(vec![TensorType::f32(self.shape.clone())]),
            _ => Err(format!("{} does not broadcast to {from}", self.shape)),
        }
    }

    fn variants(&self, inputs: &[&TensorType], _caps: &Caps) -> Vec<Variant> {
        reduction::variants(&inputs[0].shape, &self.shape)
    }

    fn preference(&self, _inputs: &[&TensorType]) -> Preference {
        reduction::PREFERENCE
    }

    fn lower(&self, cx: &mut LowerContext<'_>) -> Result<()> {
        let from = cx.input_type(0).shape.clone();
        reduction::lower(cx, &from, &self.shape)
    }

    fn serial_terms(&self, inputs: &[&TensorType], variant: Variant) -> u64 {
        reduction::serial_terms(&inputs[0].shape, &self.shape, variant)
    }

    fn flops(&self, inputs: &[&TensorType]) -> u64 {
        inputs[0].shape.elements() as u64
    }
}

/// A copy of the input, to give a value storage of its own.
#[derive(Clone, Debug, PartialEq)]
pub struct Copy;

impl Operator for Copy {
    fn name(&self) -> &'static str {
        "copy"
    }

    fn arity(&self) -> (usize, usize) {
        (1, 1)
    }

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        Ok(vec![inputs[0].clone()])
    }

    fn backward(&self, cx: &mut BackwardContext<'_>) -> Result<()> {
        let gradient = cx.output_gradient(0)?;
        cx.set(0, gradient);
        Ok(())
    }

    fn lower(&self, cx: &mut LowerContext<'_>) -> Result<()> {
        copy(cx)
    }
}

/// Records a copy of the first input to the first output.
pub(super) fn copy(cx: &mut LowerContext<'_>) -> Result<()> {
    let elements = cx.output_type(0).shape.elements();
    let (width, _) = pack(elements);
    let (kernel, groups) = cx.made_by(&parts::copy, elements / width, 1)?;
    cx.dispatch_without_epilogue(kernel, &[cx.input(0), cx.output(0)], groups, width);
    Ok(())
}

/// The common shape of two shapes, aligned at the last dimension.
pub(crate) fn broadcast(lhs: &Shape, rhs: &Shape) -> Result<Shape, String> {
    let rank = lhs.len().max(rhs.len());
    if rank > RANK {
        return Err(format!("at most {RANK} dimensions, found {lhs} and {rhs}"));
    }
    let size =
        |shape: &Shape, d: usize| if d + shape.len() < rank { 1 } else { shape[d + shape.len() - rank] };
    (0..rank)
        .map(|d| match (size(lhs, d), size(rhs, d)) {
            (a, b) if a == b || b == 1 => Ok(a),
            (1, b) => Ok(b),
            (a, b) => Err(format!(
                "shapes {lhs} and {rhs} do not broadcast: sizes {a} and {b} differ and neither is 1"
            )),
        })
        .collect::<Result<Vec<usize>, String>>()
        .map(Shape::from)
}

/// The shape with ones on the left up to [`RANK`]. Sizes fit: the graph refuses larger tensors.
pub(super) fn padded(shape: &Shape) -> [u32; RANK] {
    let mut sizes = [1; RANK];
    for (d, &size) in shape.iter().enumerate() {
        sizes[RANK - shape.len() + d] = size as u32;
    }
    sizes
}

/// Row-major strides of `shape` seen through `target`: zero along stretched dimensions.
pub(super) fn strides_to(shape: &Shape, target: &Shape) -> [u32; RANK] {
    let (sizes, full) = (padded(shape), padded(target));
    let mut strides = [0; RANK];
    let mut stride = 1;
    for d in (0..RANK).rev() {
        strides[d] = if sizes[d] == full[d] { stride } else { 0 };
        stride *= sizes[d];
    }
    strides
}
