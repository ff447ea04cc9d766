//! Permutation of a tensor's dimensions.

use super::strided_copy::{self, Axis, Border, StridedCopy, strides};
use crate::error::Result;
use crate::graph::{Graph, Value};
use crate::op::{BackwardContext, Caps, LowerContext, Operator, Preference, Variant};
use crate::ops::checks;
use crate::ops::strided_copy::{SCALAR, TILED, VEC4};
use crate::tensor::{Shape, TensorType};

/// The input with its dimensions in another order. Elements move in memory, so the output is row-major like every
/// tensor.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Permute {
    /// For each dimension of the output, its dimension in the input.
    pub axes: Vec<usize>,
}

impl Permute {
    fn copy(&self, input: &Shape) -> StridedCopy {
        let strides = strides(input);
        StridedCopy::new(self.axes.iter().map(|&d| Axis::whole(input[d], strides[d])), Border::Fill(0.0))
    }

    /// Whether all dimensions of more than one element keep their order.
    fn moves_nothing(&self, input: &Shape) -> bool {
        self.axes.iter().filter(|&&d| input[d] > 1).is_sorted()
    }

    /// The order that undoes this one.
    fn inverse(&self) -> Permute {
        let mut axes = vec![0; self.axes.len()];
        for (to, &from) in self.axes.iter().enumerate() {
            axes[from] = to;
        }
        Permute { axes }
    }
}

impl Operator for Permute {
    fn name(&self) -> &'static str {
        "permute"
    }

    fn arity(&self) -> (usize, usize) {
        (1, 1)
    }

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        strided_copy::check_input(inputs[0])?;
        let (input, axes) = (&inputs[0].shape, &self.axes);
        if axes.len() != input.len() {
            return Err(format!(
                "number of dimensions in the tensor input does not match the length of the desired ordering of dimensions: {input} has {}, the ordering {axes:?} has {}",
                input.len(),
                axes.len()
            ));
        }
        axes.iter().try_for_each(|&axis| checks::axis(axis, input))?;
        if (1..axes.len()).any(|i| axes[..i].contains(&axes[i])) {
            return Err(format!("duplicate dims are not allowed, found {axes:?}"));
        }
        Ok(vec![TensorType::f32(axes.iter().map(|&axis| input[axis]).collect::<Vec<_>>())])
    }

    fn backward(&self, cx: &mut BackwardContext<'_>) -> Result<()> {
        let dy = cx.output_gradient(0)?;
        let dx = cx.apply1(self.inverse(), &[dy])?;
        cx.set(0, dx);
        Ok(())
    }

    fn variants(&self, inputs: &[&TensorType], _caps: &Caps) -> Vec<Variant> {
        self.copy(&inputs[0].shape).variants()
    }

    fn preference(&self, _inputs: &[&TensorType]) -> Preference {
        Preference::gpus(&[VEC4, TILED, SCALAR], &[VEC4, SCALAR])
    }

    fn lower(&self, cx: &mut LowerContext<'_>) -> Result<()> {
        self.copy(&cx.input_type(0).shape).lower(cx)
    }

    fn has_epilogue(&self) -> bool {
        true
    }
}

impl Graph {
    /// `x` with its dimensions in another order: dimension `d` of the output is dimension `axes[d]` of `x`.
    ///
    /// # Errors
    /// Axes that are not each of the dimensions of `x` once, more than 6 dimensions, an input that is not
    /// f32.
    pub fn permute(&mut self, x: Value, axes: impl Into<Vec<usize>>) -> Result<Value> {
        self.check_owned([x])?;
        let permute = Permute { axes: axes.into() };
        let ty = &self.info(x).ty;
        // If only dimensions of size 1 change places, no element moves, and a view is enough.
        match permute.infer(&[ty]) {
            Ok(outputs) if permute.moves_nothing(&ty.shape) => self.reshape(x, outputs[0].shape.clone()),
            _ => self.apply1(permute, &[x]),
        }
    }

    /// `x` with two dimensions exchanged.
    ///
    /// # Errors
    /// A dimension that `x` does not have, more than 6 dimensions, an input that is not f32.
    pub fn transpose(&mut self, x: Value, first: usize, second: usize) -> Result<Value> {
        for axis in [first, second] {
            self.size_along("transpose", x, axis)?;
        }
        let mut axes: Vec<usize> = (0..self.shape_of(x).len()).collect();
        axes.swap(first, second);
        self.permute(x, axes)
    }
}
