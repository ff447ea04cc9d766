//! Reductions over any axes: sum, mean, largest, smallest, variance. Their kernels are in `reduction`.

mod variance;

pub use variance::Variance;

use super::elementwise::RANK;
use super::expand::Expand;
use super::reduction::{self, Combine, Reduction, Term};
use super::reshape::Reshape;
use super::unary::Unary;
use crate::error::Result;
use crate::graph::{Graph, Value};
use crate::op::{BackwardContext, Caps, IndexMap, LowerContext, Operator, Pointwise, Preference, Variant};
use crate::ops::checks;
use crate::shader::parts;
use crate::tensor::{DType, Shape, TensorType};

/// The axes of a reduction.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Axes {
    /// The dimensions that are reduced. An empty list means all of them, as in PyTorch.
    pub axes: Vec<usize>,
    /// Whether the output keeps those dimensions, with size 1.
    pub keepdim: bool,
}

impl Axes {
    fn contains(&self, d: usize) -> bool {
        self.axes.is_empty() || self.axes.contains(&d)
    }

    /// The input's shape with size 1 along the axes.
    pub(crate) fn kept(&self, input: &Shape) -> Shape {
        let sizes = input.iter().enumerate().map(|(d, &size)| if self.contains(d) { 1 } else { size });
        sizes.collect::<Vec<_>>().into()
    }

    /// The output's shape.
    pub(crate) fn output(&self, input: &Shape) -> Shape {
        if self.keepdim {
            return self.kept(input);
        }
        let others = input.iter().enumerate().filter(|&(d, _)| !self.contains(d));
        others.map(|(_, &size)| size).collect::<Vec<_>>().into()
    }

    /// Number of elements behind each output.
    fn count(&self, input: &Shape) -> usize {
        input.iter().enumerate().filter(|&(d, _)| self.contains(d)).map(|(_, &size)| size).product()
    }

    fn check(&self, input: &TensorType) -> Result<(), String> {
        if input.dtype != DType::F32 || input.shape.len() > RANK {
            return Err(format!("expects an f32 input of at most {RANK} dimensions, found {input}"));
        }
        self.axes.iter().try_for_each(|&axis| checks::axis(axis, &input.shape))?;
        let twice = (0..self.axes.len()).find(|&i| self.axes[..i].contains(&self.axes[i]));
        match twice {
            None => Ok(()),
            Some(i) => Err(format!("dim {} appears multiple times in the list of dims", self.axes[i])),
        }
    }
}

/// The function of a reduction.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Function {
    /// Their sum.
    Sum,
    /// Their sum divided by their number.
    Mean,
    /// The largest. Elements that equal it share its gradient evenly, as in PyTorch's `amax`.
    Max,
    /// The smallest. Elements that equal it share its gradient evenly, as in PyTorch's `amin`.
    Min,
}

/// A reduction over axes.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Reduce {
    /// The function of the elements.
    pub function: Function,
    /// The axes.
    pub axes: Axes,
}

impl Reduce {
    /// The sum over these dimensions, which the output does not have.
    pub fn sum(axes: impl Into<Vec<usize>>) -> Self {
        Reduce { function: Function::Sum, axes: Axes { axes: axes.into(), keepdim: false } }
    }
}

impl Operator for Reduce {
    fn name(&self) -> &'static str {
        match self.function {
            Function::Sum => "sum",
            Function::Mean => "mean",
            Function::Max => "max",
            Function::Min => "min",
        }
    }

    fn arity(&self) -> (usize, usize) {
        (1, 1)
    }

    fn keeps_f32(&self, _output: usize) -> bool {
        true
    }

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        self.axes.check(inputs[0])?;
        Ok(vec![TensorType::f32(self.axes.output(&inputs[0].shape))])
    }

    fn backward(&self, cx: &mut BackwardContext<'_>) -> Result<()> {
        let x = cx.input(0);
        let input = cx.shape(x);
        let kept = self.axes.kept(&input);
        let dy = cx.output_gradient(0)?;
        let dy = cx.apply1(Reshape { shape: kept.clone() }, &[dy])?;
        let dx = match self.function {
            Function::Sum => cx.apply1(Expand { shape: input }, &[dy])?,
            Function::Mean => {
                let factor = (1.0 / self.axes.count(&input) as f64) as f32;
                let whole = cx.apply1(Expand { shape: input }, &[dy])?;
                cx.apply1(Unary::Scale { factor }, &[whole])?
            }
            Function::Max | Function::Min => {
                let y = cx.output(0);
                let y = cx.apply1(Reshape { shape: kept }, &[y])?;
                let count = cx.apply1(EqualCount, &[x, y])?;
                cx.apply1(ExtremumShare, &[x, y, count, dy])?
            }
        };
        cx.set(0, dx);
        Ok(())
    }

    fn variants(&self, inputs: &[&TensorType], _caps: &Caps) -> Vec<Variant> {
        reduction::variants(&inputs[0].shape, &self.axes.kept(&inputs[0].shape))
    }

    fn preference(&self, _inputs: &[&TensorType]) -> Preference {
        reduction::PREFERENCE
    }

    fn lower(&self, cx: &mut LowerContext<'_>) -> Result<()> {
        let from = cx.input_type(0).shape.clone();
        let (combine, scale) = match self.function {
            Function::Sum => (Combine::Sum, 1.0),
            Function::Mean => (Combine::Sum, 1.0 / self.axes.count(&from) as f64),
            Function::Max => (Combine::Max, 1.0),
            Function::Min => (Combine::Min, 1.0),
        };
        let reduction = Reduction { combine, term: Term::Plain, scale, source: None, result: None };
        reduction::reduce(cx, &from, &self.axes.kept(&from), &reduction)
    }

    fn has_epilogue(&self) -> bool {
        true
    }

    fn serial_terms(&self, inputs: &[&TensorType], variant: Variant) -> u64 {
        reduction::serial_terms(&inputs[0].shape, &self.axes.kept(&inputs[0].shape), variant)
    }

    fn flops(&self, inputs: &[&TensorType]) -> u64 {
        inputs[0].shape.elements() as u64
    }
}

/// The number of elements of the first input that equal the second input, which is broadcast to it: one count per
/// element of the second.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct EqualCount;

impl Operator for EqualCount {
    fn name(&self) -> &'static str {
        "equal_count"
    }

    fn arity(&self) -> (usize, usize) {
        (2, 2)
    }

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        check_broadcast(&inputs[1..], inputs[0])?;
        Ok(vec![inputs[1].clone()])
    }

    fn variants(&self, inputs: &[&TensorType], _caps: &Caps) -> Vec<Variant> {
        reduction::variants(&inputs[0].shape, &inputs[1].shape)
    }

    fn preference(&self, _inputs: &[&TensorType]) -> Preference {
        reduction::PREFERENCE
    }

    fn lower(&self, cx: &mut LowerContext<'_>) -> Result<()> {
        let (from, to) = (cx.input_type(0).shape.clone(), cx.input_type(1).shape.clone());
        let term = Term::Equal(cx.input(1));
        let reduction = Reduction { combine: Combine::Sum, term, scale: 1.0, source: None, result: None };
        reduction::reduce(cx, &from, &to, &reduction)
    }

    fn has_epilogue(&self) -> bool {
        true
    }

    fn serial_terms(&self, inputs: &[&TensorType], variant: Variant) -> u64 {
        reduction::serial_terms(&inputs[0].shape, &inputs[1].shape, variant)
    }

    fn flops(&self, inputs: &[&TensorType]) -> u64 {
        inputs[0].shape.elements() as u64
    }
}

/// Gradient of the largest or the smallest by the elements: `dy / count` for elements that equal it, zero for others.
/// Inputs: the elements, then three that broadcast to them: the extremum, the number of equal elements, its gradient.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ExtremumShare;

impl Operator for ExtremumShare {
    fn name(&self) -> &'static str {
        "extremum_share"
    }

    fn arity(&self) -> (usize, usize) {
        (4, 4)
    }

    fn infer(&self, inputs: &[&TensorType]) -> Result<Vec<TensorType>, String> {
        check_broadcast(&inputs[1..], inputs[0])?;
        Ok(vec![inputs[0].clone()])
    }

    fn pointwise(&self, inputs: &[&TensorType]) -> Option<Pointwise> {
        let index_map = inputs.iter().map(|ty| IndexMap::of(&ty.shape, &inputs[0].shape));
        Some(Pointwise {
            file: &parts::extremum_share,
            function: "extremum_share",
            index_map: index_map.collect::<Option<_>>()?,
            numbers: vec![],
        })
    }
}

fn check_broadcast(small: &[&TensorType], large: &TensorType) -> Result<(), String> {
    if large.dtype != DType::F32 || large.shape.len() > RANK {
        return Err(format!("expects an f32 input of at most {RANK} dimensions, found {large}"));
    }
    for ty in small {
        let fits = ty.shape.len() == large.shape.len()
            && ty.shape.iter().zip(large.shape.iter()).all(|(&s, &l)| s == l || s == 1);
        if !fits || ty.dtype != DType::F32 {
            return Err(format!("expects what {large} is reduced to, found {ty}"));
        }
    }
    Ok(())
}

impl Graph {
    /// The sum of the elements along `axes`, or of all elements if `axes` is empty. If `keepdim` is set, the output
    /// keeps the axes with size 1.
    ///
    /// ```
    /// # fn main() -> wgrad::Result<()> {
    /// use wgrad::Graph;
    ///
    /// let mut g = Graph::new();
    /// let x = g.input("x", [8, 3, 32, 32])?;
    /// let per_channel = g.sum(x, &[0, 2, 3], true)?;
    /// let all = g.sum(x, &[], false)?;
    /// assert_eq!((&g.shape(per_channel)?[..], g.shape(all)?.len()), (&[1, 3, 1, 1][..], 0));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// An axis that `x` does not have or that is given twice, more than 6 dimensions, an input that is not
    /// f32.
    pub fn sum(&mut self, x: Value, axes: &[usize], keepdim: bool) -> Result<Value> {
        self.reduce(Function::Sum, x, axes, keepdim)
    }

    /// The mean of the elements along `axes`; otherwise like [`Graph::sum`].
    ///
    /// # Errors
    /// As [`Graph::sum`].
    pub fn mean(&mut self, x: Value, axes: &[usize], keepdim: bool) -> Result<Value> {
        self.reduce(Function::Mean, x, axes, keepdim)
    }

    /// The largest of the elements along `axes`; otherwise like [`Graph::sum`]. Elements that equal it share its
    /// gradient evenly. For the larger of two tensors see [`Graph::maximum`].
    ///
    /// # Errors
    /// As [`Graph::sum`].
    #[doc(alias = "amax")]
    pub fn max(&mut self, x: Value, axes: &[usize], keepdim: bool) -> Result<Value> {
        self.reduce(Function::Max, x, axes, keepdim)
    }

    /// The smallest of the elements along `axes`; otherwise like [`Graph::sum`]. Elements that equal it share its
    /// gradient evenly. For the smaller of two tensors see [`Graph::minimum`].
    ///
    /// # Errors
    /// As [`Graph::sum`].
    #[doc(alias = "amin")]
    pub fn min(&mut self, x: Value, axes: &[usize], keepdim: bool) -> Result<Value> {
        self.reduce(Function::Min, x, axes, keepdim)
    }

    /// The variance of the elements along `axes`; otherwise like [`Graph::sum`]. It is the sum of squared deviations
    /// from their mean, divided by their number minus `correction`. PyTorch's default is 1, the unbiased estimate; 0
    /// gives the variance of a population.
    ///
    /// # Errors
    /// As [`Graph::sum`]; no more elements than `correction`.
    pub fn variance(&mut self, x: Value, axes: &[usize], correction: usize, keepdim: bool) -> Result<Value> {
        self.apply1(Variance { axes: Axes { axes: axes.to_vec(), keepdim }, correction }, &[x])
    }

    fn reduce(&mut self, function: Function, x: Value, axes: &[usize], keepdim: bool) -> Result<Value> {
        self.apply1(Reduce { function, axes: Axes { axes: axes.to_vec(), keepdim } }, &[x])
    }
}
