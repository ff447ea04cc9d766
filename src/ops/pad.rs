//! Padding of any dimensions: with a number, or with elements of the input.

use super::elementwise::RANK;
use super::parts::{self, Parts, Sum, scratch};
use super::slice::{Slice, SliceAxis};
use super::strided_copy::{self, Axis, Border, StridedCopy, each, signed, strides};
use crate::error::Result;
use crate::graph::{Graph, Value};
use crate::op::{BackwardContext, Caps, LowerContext, MAX_ITERATIONS, Operator, Preference, Variant};
use crate::ops::checks;
use crate::ops::serial;
use crate::ops::strided_copy::{SCALAR, VEC4};
use crate::shader::{self, Kernel};
use crate::tensor::{Shape, TensorType};
use std::cmp::Ordering;

/// The contents of padding.
#[derive(Clone, Copy, PartialEq, Debug)]
#[non_exhaustive]
pub enum PadMode {
    /// A number; 0 is zero padding.
    Constant(f32),
    /// The input mirrored at its outermost elements, which are not repeated. On each side it must be smaller than the
    /// input.
    Reflect,
    /// The input's outermost elements, repeated.
    Replicate,
    /// The input's other end, as if it were periodic. On each side it is at most as large as the input.
    Circular,
}

impl PadMode {
    fn border(self) -> Border {
        match self {
            PadMode::Constant(number) => Border::Fill(number),
            PadMode::Reflect => Border::Reflect,
            PadMode::Replicate => Border::Replicate,
            PadMode::Circular => Border::Circular,
        }
    }
}

/// The input with elements added in front of and behind its last dimensions, as PyTorch's
/// `torch.nn.functional.pad`.
#[derive(Clone, PartialEq, Debug)]
pub struct Pad {
    /// Elements before and after, for each of the last dimensions, the innermost last: `[[top, bottom],
    /// [left, right]]` for images. (PyTorch's list begins with the innermost dimension.)
    pub amounts: Vec<[usize; 2]>,
    /// Their contents.
    pub mode: PadMode,
}

impl Pad {
    /// Amounts for every dimension of an input with this many, which passed the shape rule.
    fn amounts(&self, rank: usize) -> impl Iterator<Item = [usize; 2]> {
        let unpadded = rank - self.amounts.len();
        (0..rank).map(move |d| if d < unpadded { [0, 0] } else { self.amounts[d - unpadded] })
    }

    fn copy(&self, input: &Shape, output: &Shape) -> StridedCopy {
        let strides = strides(input);
        let axes = self.amounts(input.len()).enumerate().map(|(d, [before, _])| {
            let start = -i64::try_from(before).unwrap_or(i64::MAX);
            Axis { size: output[d], start, step: 1, spread: 1, extent: input[d], stride: strides[d] }
        });
        StridedCopy::new(axes, self.mode.border())
    }

    fn check(&self, d: usize, [before, after]: [usize; 2], input: &Shape) -> Result<usize, String> {
        let size = input[d];
        let most = before.max(after);
        match self.mode {
            PadMode::Reflect if most >= size => Err(format!(
                "padding size should be less than the corresponding input dimension, but got: padding ({before}, {after}) at dimension {d} of input {input}"
            )),
            PadMode::Circular if most > size => Err(format!(
                "padding value causes wrapping around more than once: padding ({before}, {after}) at dimension {d} of input {input}"
            )),
            _ => size.checked_add(before).and_then(|size| size.checked_add(after)).ok_or_else(|| {
                format!("padding ({before}, {after}) at dimension {d} of input {input} is too large")
            }),
        }
    }
}

impl Operator for Pad {
    fn name(&self) -> &'static str {
        "pad"
    }

    fn arity(&self) -> (usize, usize) {
        (1, 1)
    }

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        strided_copy::check_input(inputs[0])?;
        let input = &inputs[0].shape;
        if self.amounts.len() > input.len() {
            return Err(format!(
                "padding length should be less than or equal to two times the input dimension, but got padding length {} and input of dimension {}",
                2 * self.amounts.len(),
                input.len()
            ));
        }
        let sizes = self.amounts(input.len()).enumerate().map(|(d, amounts)| self.check(d, amounts, input));
        Ok(vec![TensorType::f32(sizes.collect::<Result<Vec<usize>, String>>()?)])
    }

    fn backward(&self, cx: &mut BackwardContext<'_>) -> Result<()> {
        let (input, dy) = (cx.shape(cx.input(0)), cx.output_gradient(0)?);
        let dx = if let PadMode::Constant(_) = self.mode {
            let kept = self.amounts(input.len()).zip(input.iter());
            let axes = kept.map(|([start, _], &size)| SliceAxis { start, step: 1, size }).collect();
            cx.apply1(Slice { axes }, &[dy])?
        } else {
            cx.apply1(PadGrad { forward: self.clone(), input }, &[dy])?
        };
        cx.set(0, dx);
        Ok(())
    }

    fn variants(&self, inputs: &[&TensorType], _caps: &Caps) -> Vec<Variant> {
        let output = self.infer(inputs).map(|mut outputs| outputs.remove(0).shape);
        output.map_or(vec![SCALAR], |output| self.copy(&inputs[0].shape, &output).variants())
    }

    fn preference(&self, _inputs: &[&TensorType]) -> Preference {
        Preference::all(&[VEC4, SCALAR])
    }

    fn lower(&self, cx: &mut LowerContext<'_>) -> Result<()> {
        self.copy(&cx.input_type(0).shape, &cx.output_type(0).shape).lower(cx)
    }

    fn has_epilogue(&self) -> bool {
        true
    }
}

/// Gradient of [`Pad`] with elements of the input, by the input: each element adds the gradients of all its copies,
/// in the order of the padded tensor. The gradient of padding with a number is a [`Slice`].
#[derive(Clone, PartialEq, Debug)]
pub struct PadGrad {
    /// The forward operator.
    pub forward: Pad,
    /// Shape of its input.
    pub input: Shape,
}

impl PadGrad {
    /// For each dimension its size, the elements added before it and its padded size. Neighbouring dimensions without
    /// padding are merged. The innermost may have no padding.
    fn axes(&self) -> Vec<[usize; 3]> {
        let mut axes: Vec<[usize; 3]> = Vec::new();
        for (&size, [before, after]) in self.input.iter().zip(self.forward.amounts(self.input.len())) {
            let padded = size + before + after;
            match axes.last_mut() {
                Some(outer) if padded == size && outer[0] == outer[2] => {
                    *outer = [outer[0] * size, 0, outer[0] * size];
                }
                _ => axes.push([size, before, padded]),
            }
        }
        axes
    }

    fn takes_fours(&self) -> bool {
        self.axes().last().is_some_and(|&[size, _, padded]| size == padded && size.is_multiple_of(4))
    }
}

impl Operator for PadGrad {
    fn name(&self) -> &'static str {
        "pad_grad"
    }

    fn arity(&self) -> (usize, usize) {
        (1, 1)
    }

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        let input = TensorType::f32(self.input.clone());
        let output = self.forward.infer(&[&input])?;
        checks::gradient(inputs[0], &output[0])?;
        if let PadMode::Constant(_) = self.forward.mode {
            return Err("expects padding with elements of the input, found a constant".into());
        }
        Ok(vec![input])
    }

    fn variants(&self, _inputs: &[&TensorType], _caps: &Caps) -> Vec<Variant> {
        if self.takes_fours() { vec![VEC4, SCALAR] } else { vec![SCALAR] }
    }

    fn preference(&self, _inputs: &[&TensorType]) -> Preference {
        Preference::all(&[VEC4, SCALAR])
    }

    fn lower(&self, cx: &mut LowerContext<'_>) -> Result<()> {
        let mut axes = self.axes();
        let width = if cx.variant() == VEC4 && self.takes_fours() { 4 } else { 1 };
        if let Some([size, _, padded]) = axes.last_mut() {
            (*size, *padded) = (*size / width, *padded / width);
        }
        let (x, y) = (cx.input(0), cx.output(0));
        let copies = axes.iter().fold(1usize, |all, &axis| all.saturating_mul(self.copies(axis)));
        if copies as u64 <= MAX_ITERATIONS {
            let (kernel, groups) = self.kernel(cx, &axes, 1)?;
            let kernel = kernel.iterations(copies as u64);
            cx.dispatch_epilogue(kernel, &[x, y], groups, width);
            return Ok(());
        }
        // Copies along several dimensions are summed one dimension after the other, the innermost first. The outer
        // ones are still padded then.
        let padded: Vec<usize> = (0..axes.len()).rev().filter(|&d| axes[d][0] != axes[d][2]).collect();
        let mut from = x;
        for (i, &d) in padded.iter().enumerate() {
            let one = axes.iter().enumerate().map(|(other, &[size, before, padded])| match other.cmp(&d) {
                Ordering::Less => [padded, 0, padded],
                Ordering::Equal => [size, before, padded],
                Ordering::Greater => [size, 0, size],
            });
            let one: Vec<[usize; 3]> = one.collect();
            let elements = one.iter().map(|axis| axis[0]).product();
            let parts = Parts::new(elements, self.copies(axes[d]), 0);
            let memory = scratch(cx, elements, parts.count, width)?;
            let (kernel, groups) = self.kernel(cx, &one, parts.count)?;
            let kernel =
                kernel.with("COPIES", signed(cx, parts.length as i64)?).iterations(parts.length as u64);
            cx.dispatch_without_epilogue(kernel, &[from, memory.clone()], groups, width);
            let last = i + 1 == padded.len();
            let result = if last { None } else { Some(scratch(cx, elements, 1, width)?) };
            from = result.clone().unwrap_or_else(|| y.clone());
            let finalize = &parts::plain;
            parts::sum(cx, memory, parts.count, &Sum { elements, width, result, finalize, beside: None })?;
        }
        Ok(())
    }

    fn has_epilogue(&self) -> bool {
        true
    }

    fn serial_terms(&self, _inputs: &[&TensorType], _variant: Variant) -> u64 {
        let copies = self.axes().iter().fold(1usize, |all, &axis| all.saturating_mul(self.copies(axis)));
        serial::shared(copies, 1)
    }

    fn flops(&self, inputs: &[&TensorType]) -> u64 {
        inputs[0].shape.elements() as u64
    }
}

impl PadGrad {
    /// The most copies that a dimension's padding makes of one element.
    fn copies(&self, [size, before, padded]: [usize; 3]) -> usize {
        if size == padded {
            return 1;
        }
        let after = padded - size - before;
        match self.forward.mode {
            PadMode::Replicate if size == 1 => padded,
            PadMode::Replicate => 1 + before.max(after),
            _ => 3,
        }
    }

    /// The kernel over these dimensions (size, elements before, padded size), of so many parts for each element, and
    /// its workgroups.
    fn kernel(&self, cx: &LowerContext<'_>, axes: &[[usize; 3]], parts: usize) -> Result<(Kernel, usize)> {
        let elements = axes.iter().map(|axis| axis[0]).product::<usize>();
        let (kernel, groups) = cx.made_by(&shader::parts::pad_grad, elements * parts, 1)?;
        // Dimensions that there are not have one element.
        let mut all = [[1, 0, 1]; RANK];
        all[RANK - axes.len()..].copy_from_slice(axes);
        let padded = strides(&all.map(|[_, _, padded]| padded).to_vec().into());
        let kernel = kernel
            .fill(self.forward.mode.border().file())
            .with("RESULTS", cx.index(elements)?)
            .with("EXTENT", each(&all, |axis| signed(cx, axis[0] as i64))?)
            .with("BEFORE", each(&all, |axis| signed(cx, axis[1] as i64))?)
            .with("PADDED", each(&all, |axis| signed(cx, axis[2] as i64))?)
            .with(
                "STRIDE",
                each(&padded.try_into().expect("a stride for each dimension"), |&stride| cx.index(stride))?,
            );
        Ok((kernel, groups))
    }
}

impl Graph {
    /// `x` with elements added before and after its last dimensions, the innermost last: `[[top, bottom],
    /// [left, right]]` for images `[n, c, h, w]`.
    ///
    /// # Errors
    /// More pairs than dimensions, more than 6 dimensions, an input that is not f32, reflecting padding
    /// that is not less than the dimension, circular padding that is more.
    pub fn pad(&mut self, x: Value, amounts: impl Into<Vec<[usize; 2]>>, mode: PadMode) -> Result<Value> {
        self.apply1(Pad { amounts: amounts.into(), mode }, &[x])
    }
}
