//! Parts of a tensor: slices with steps, splitting, flipping.

use super::strided_copy::{self, Axis, Border, StridedCopy, strides};
use crate::error::Result;
use crate::graph::{Graph, Value};
use crate::op::{BackwardContext, Caps, LowerContext, Operator, Preference, Variant};
use crate::ops::checks;
use crate::ops::strided_copy::{SCALAR, VEC4};
use crate::tensor::{Shape, TensorType};

/// The slice of one dimension: `size` coordinates `start`, `start + step`, ... A negative step goes backwards.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct SliceAxis {
    /// The first coordinate.
    pub start: usize,
    /// Distance from one coordinate to the next; not 0.
    pub step: isize,
    /// Number of coordinates.
    pub size: usize,
}

impl SliceAxis {
    /// All of a dimension.
    pub fn whole(size: usize) -> SliceAxis {
        SliceAxis { start: 0, step: 1, size }
    }

    /// The last coordinate, if there is one and it fits a `usize`.
    fn last(self) -> Option<usize> {
        let steps = isize::try_from(self.size.checked_sub(1)?).ok()?;
        self.start.checked_add_signed(self.step.checked_mul(steps)?)
    }

    /// The step, or 1 if there is only one coordinate.
    fn made_step(self) -> isize {
        if self.size == 1 { 1 } else { self.step }
    }

    fn check(self, d: usize, input: &Shape) -> Result<usize, String> {
        let inside = self.start < input[d] && self.last().is_some_and(|last| last < input[d]);
        if self.size == 0 {
            return Err(format!("the slice of dimension {d} of {input} is empty"));
        }
        if self.step == 0 || !inside {
            return Err(format!(
                "a slice of {} from {} with step {} is not within dimension {d} of {input}",
                self.size, self.start, self.step
            ));
        }
        Ok(self.size)
    }
}

/// Every `step`th element along each dimension, from `start` on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Slice {
    /// The slice of each dimension of the input.
    pub axes: Vec<SliceAxis>,
}

impl Slice {
    fn copy(&self, input: &Shape) -> StridedCopy {
        let strides = strides(input);
        let axes = self.axes.iter().enumerate().map(|(d, axis)| Axis {
            size: axis.size,
            start: axis.start as i64,
            step: axis.made_step() as i64,
            spread: 1,
            extent: input[d],
            stride: strides[d],
        });
        StridedCopy::new(axes, Border::Fill(0.0))
    }

    /// The copy that puts a slice back in its place, among zeros.
    fn copy_back(&self, input: &Shape) -> StridedCopy {
        let slice: Shape = self.axes.iter().map(|axis| axis.size).collect::<Vec<_>>().into();
        let strides = strides(&slice);
        let axes = self.axes.iter().enumerate().map(|(d, axis)| {
            let (start, sign) = (axis.start as i64, axis.made_step().signum() as i64);
            let spread = axis.made_step().unsigned_abs();
            Axis {
                size: input[d],
                start: -sign * start,
                step: sign,
                spread,
                extent: axis.size,
                stride: strides[d],
            }
        });
        StridedCopy::new(axes, Border::Fill(0.0))
    }
}

impl Operator for Slice {
    fn name(&self) -> &'static str {
        "slice"
    }

    fn arity(&self) -> (usize, usize) {
        (1, 1)
    }

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        strided_copy::check_input(inputs[0])?;
        let input = &inputs[0].shape;
        if self.axes.len() != input.len() {
            return Err(format!("slices {} dimensions, found {input}", self.axes.len()));
        }
        let sizes = self.axes.iter().enumerate().map(|(d, axis)| axis.check(d, input));
        Ok(vec![TensorType::f32(sizes.collect::<Result<Vec<usize>, String>>()?)])
    }

    fn backward(&self, cx: &mut BackwardContext<'_>) -> Result<()> {
        let (input, dy) = (cx.shape(cx.input(0)), cx.output_gradient(0)?);
        // The gradient of a flip, or of a slice of everything, is the same slice.
        let everything = self.axes.iter().zip(input.iter()).all(|(axis, &size)| axis.size == size);
        let dx = if everything {
            cx.apply1(self.clone(), &[dy])?
        } else {
            cx.apply1(SliceGrad { forward: self.clone(), input }, &[dy])?
        };
        cx.set(0, dx);
        Ok(())
    }

    fn variants(&self, inputs: &[&TensorType], _caps: &Caps) -> Vec<Variant> {
        self.copy(&inputs[0].shape).variants()
    }

    fn preference(&self, _inputs: &[&TensorType]) -> Preference {
        Preference::all(&[VEC4, SCALAR])
    }

    fn lower(&self, cx: &mut LowerContext<'_>) -> Result<()> {
        self.copy(&cx.input_type(0).shape).lower(cx)
    }

    fn has_epilogue(&self) -> bool {
        true
    }
}

/// Gradient of [`Slice`] by its input: the slice's gradient among zeros.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SliceGrad {
    /// The forward operator.
    pub forward: Slice,
    /// Shape of its input.
    pub input: Shape,
}

impl Operator for SliceGrad {
    fn name(&self) -> &'static str {
        "slice_grad"
    }

    fn arity(&self) -> (usize, usize) {
        (1, 1)
    }

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        let input = TensorType::f32(self.input.clone());
        let output = self.forward.infer(&[&input])?;
        checks::gradient(inputs[0], &output[0])?;
        Ok(vec![input])
    }

    fn variants(&self, _inputs: &[&TensorType], _caps: &Caps) -> Vec<Variant> {
        self.forward.copy_back(&self.input).variants()
    }

    fn preference(&self, _inputs: &[&TensorType]) -> Preference {
        Preference::all(&[VEC4, SCALAR])
    }

    fn lower(&self, cx: &mut LowerContext<'_>) -> Result<()> {
        self.forward.copy_back(&self.input).lower(cx)
    }

    fn has_epilogue(&self) -> bool {
        true
    }
}

impl Graph {
    /// Every `step`th element of `x` along `axis`, from `start` up to and excluding `end`: `x[start:end:step]`.
    ///
    /// # Errors
    /// An axis that `x` does not have, `start` not below `end`, `end` beyond the axis, a step of 0, more
    /// than 6 dimensions, an input that is not f32.
    pub fn slice(
        &mut self,
        x: Value,
        axis: usize,
        range: std::ops::Range<usize>,
        step: usize,
    ) -> Result<Value> {
        let size = self.size_along("slice", x, axis)?;
        let std::ops::Range { start, end } = range;
        if start >= end || end > size || step == 0 {
            let message = format!(
                "a slice {start}..{end} with step {step} takes nothing within axis {axis} of {}",
                self.shape_of(x)
            );
            return Err(self.refusal("slice", message));
        }
        let size = (end - start).div_ceil(step);
        // With more than one coordinate the step is smaller than the dimension, so it fits.
        let step = if size == 1 { 1 } else { step as isize };
        self.slice_along(x, axis, SliceAxis { start, step, size })
    }

    /// Splits `x` along `axis` into parts of these sizes.
    ///
    /// # Errors
    /// An axis that `x` does not have, sizes that do not add up to the axis, a size of 0, more than 6
    /// dimensions, an input that is not f32.
    pub fn split(&mut self, x: Value, sizes: &[usize], axis: usize) -> Result<Vec<Value>> {
        let size = self.size_along("split", x, axis)?;
        let total = sizes.iter().try_fold(0usize, |total, &part| total.checked_add(part));
        if total != Some(size) {
            let message = format!(
                "expects sizes that sum exactly to {size} (input tensor's size at dimension {axis}), but got split_sizes={sizes:?}"
            );
            return Err(self.refusal("split", message));
        }
        if sizes.contains(&0) {
            return Err(
                self.refusal("split", format!("expects sizes of at least 1, but got split_sizes={sizes:?}"))
            );
        }
        let mut start = 0;
        let mut parts = Vec::with_capacity(sizes.len());
        for &size in sizes {
            parts.push(self.slice_along(x, axis, SliceAxis { start, step: 1, size })?);
            start += size;
        }
        Ok(parts)
    }

    /// Reverses the order of `x`'s elements along each of `axes`.
    ///
    /// # Errors
    /// An axis that `x` does not have or that is given twice, more than 6 dimensions, an input that is not
    /// f32.
    pub fn flip(&mut self, x: Value, axes: &[usize]) -> Result<Value> {
        self.check_owned([x])?;
        let shape = self.shape_of(x).clone();
        let mut slice: Vec<SliceAxis> = shape.iter().map(|&size| SliceAxis::whole(size)).collect();
        for (i, &axis) in axes.iter().enumerate() {
            let size = self.size_along("flip", x, axis)?;
            if axes[..i].contains(&axis) {
                return Err(
                    self.refusal("flip", format!("dim {axis} appears multiple times in the list of dims"))
                );
            }
            slice[axis] = SliceAxis { start: size - 1, step: -1, size };
        }
        self.apply1(Slice { axes: slice }, &[x])
    }

    fn slice_along(&mut self, x: Value, axis: usize, along: SliceAxis) -> Result<Value> {
        let mut axes: Vec<SliceAxis> = self.shape_of(x).iter().map(|&size| SliceAxis::whole(size)).collect();
        axes[axis] = along;
        self.apply1(Slice { axes }, &[x])
    }
}
