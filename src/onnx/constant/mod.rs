//! Constant folding: operators on tensors that are known already, as exporters write for the arithmetic of shapes.
//!
//! `elementwise.rs` has arithmetic and comparisons, `converting.rs` conversions, `moving.rs` what puts elements elsewhere,
//! `reducing.rs` sums and their kin, `making.rs` tensors from sizes.

mod budget;
mod converting;
mod elementwise;
mod making;
mod moving;
mod reducing;

pub(super) use budget::Budget;

use super::attributes::Attributes;
use super::element::ElementType;
use super::rules::{axis, check_rank};
use super::tensor::{Data, Tensor};
use crate::memory;
use crate::tensor::Shape;

/// The most elements of a folded tensor. Weights are not folded. `budget.rs` bounds all of an import together.
const MOST_FOLDED: usize = 1 << 24;

/// A node whose inputs are known.
pub(super) struct Call<'c, 'n> {
    pub operator: &'c str,
    pub attributes: &'c Attributes<'n>,
    pub inputs: &'c [Option<&'c Tensor>],
    /// Shape of the first input, which is known before its elements are.
    pub shape: Option<&'c Shape>,
    /// Number of outputs.
    pub outputs: usize,
}

/// Operators that are folded.
const KNOWN: &[&[&str]] = &[elementwise::KNOWN, making::KNOWN, moving::KNOWN, reducing::KNOWN];

/// Whether constants are folded by this operator.
pub(super) fn is_known(operator: &str) -> bool {
    KNOWN.iter().any(|list| list.contains(&operator))
}

impl<'c> Call<'c, '_> {
    /// The results. After a node that asked for more than the budget has, the error of all others is empty: nothing is
    /// computed for a file that is refused. What that node made is one constant at most, and is dropped at once.
    pub(super) fn fold(&self, budget: &mut Budget) -> Result<Vec<Tensor>, String> {
        if budget.spent {
            return Err(String::new());
        }
        let made = self.made()?;
        budget.take(&made)?;
        Ok(made)
    }

    fn made(&self) -> Result<Vec<Tensor>, String> {
        let operator = &self.operator;
        if elementwise::KNOWN.contains(operator) {
            Ok(vec![self.elementwise()?])
        } else if making::KNOWN.contains(operator) {
            Ok(vec![self.make()?])
        } else if moving::KNOWN.contains(operator) {
            self.moved()
        } else {
            Ok(vec![self.reduce()?])
        }
    }

    fn input(&self, i: usize) -> Result<&'c Tensor, String> {
        self.inputs.get(i).copied().flatten().ok_or_else(|| format!("input {i} is missing"))
    }

    fn maybe(&self, i: usize) -> Option<&'c Tensor> {
        self.inputs.get(i).copied().flatten()
    }

    fn ints(&self, i: usize) -> Result<&'c [i64], String> {
        let tensor = self.input(i)?;
        tensor.as_ints().ok_or_else(|| format!("input {i} must be integers, found {}", tensor.element))
    }

    fn maybe_ints(&self, i: usize) -> Result<Option<&'c [i64]>, String> {
        self.maybe(i).map(|_| self.ints(i)).transpose()
    }

    /// The list that is an attribute in old operator sets and an input in new ones.
    fn list(&self, name: &str, i: usize) -> Result<Option<&'c [i64]>, String> {
        match self.attributes.ints(name)? {
            Some(list) => Ok(Some(list)),
            None => self.maybe_ints(i),
        }
    }

    fn axis(&self, default: i64, rank: usize) -> Result<usize, String> {
        axis(self.attributes.int("axis", default)?, rank)
    }
}

/// Elements of a shape, if so many may be folded.
fn counted(shape: &Shape) -> Result<usize, String> {
    check_rank(shape.len())?;
    let count = shape.elements();
    // A size of zero must not hide a product that overflows.
    let others: usize = shape.iter().filter(|&&size| size > 0).fold(1, |all, &size| all.saturating_mul(size));
    if others > MOST_FOLDED {
        return Err(format!(
            "a constant of shape {shape} is too large to be computed; at most {MOST_FOLDED} elements are"
        ));
    }
    Ok(count)
}

/// `count` times what `next` makes.
pub(super) fn listed<T: Copy>(count: usize, next: impl FnMut(usize) -> T) -> Result<Vec<T>, String> {
    let mut list = Vec::new();
    memory::reserve(&mut list, count, "a constant of an ONNX file").map_err(|e| e.to_string())?;
    list.extend((0..count).map(next));
    Ok(list)
}

/// `count` floats as this type holds them.
fn floats(element: ElementType, count: usize, mut next: impl FnMut(usize) -> f64) -> Result<Data, String> {
    Ok(if element == ElementType::F64 {
        Data::Double(listed(count, next)?)
    } else {
        Data::Float(listed(count, |i| element.round(next(i)))?)
    })
}

/// The elements at these places, under a shape of as many elements.
fn taken(tensor: &Tensor, shape: Shape, places: &[usize]) -> Result<Tensor, String> {
    let data = match &tensor.data {
        Data::Float(data) => Data::Float(listed(places.len(), |i| data[places[i]])?),
        Data::Double(data) => Data::Double(listed(places.len(), |i| data[places[i]])?),
        Data::Int(data) => Data::Int(listed(places.len(), |i| data[places[i]])?),
        Data::Bool(data) => Data::Bool(listed(places.len(), |i| data[places[i]])?),
    };
    Ok(Tensor { element: tensor.element, shape, data })
}

/// Distances between neighbours along each dimension.
fn strides(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1usize; shape.len()];
    for d in (0..shape.len().saturating_sub(1)).rev() {
        strides[d] = strides[d + 1].saturating_mul(shape[d + 1]);
    }
    strides
}

/// The place of each element of `shape` in a tensor, as the sum of `of(dimension, coordinate)`.
fn places(shape: &Shape, of: impl Fn(usize, usize) -> usize) -> Result<Vec<usize>, String> {
    let count = counted(shape)?;
    let mut index = vec![0; shape.len()];
    listed(count, |_| {
        let place = index.iter().enumerate().map(|(d, &coordinate)| of(d, coordinate)).sum();
        for d in (0..index.len()).rev() {
            index[d] += 1;
            if index[d] < shape[d] {
                break;
            }
            index[d] = 0;
        }
        place
    })
}

/// The shape to which two broadcast.
pub(super) fn broadcast(a: &[usize], b: &[usize]) -> Result<Shape, String> {
    let rank = a.len().max(b.len());
    check_rank(rank)?;
    let size = |shape: &[usize], d: usize| (d + shape.len()).checked_sub(rank).map_or(1, |d| shape[d]);
    let sizes: Option<Vec<usize>> = (0..rank)
        .map(|d| match (size(a, d), size(b, d)) {
            (a, b) if a == b => Some(a),
            (1, b) => Some(b),
            (a, 1) => Some(a),
            _ => None,
        })
        .collect();
    sizes.map(Shape::from).ok_or_else(|| format!("shapes {a:?} and {b:?} do not broadcast"))
}

/// For each element of `to`, the place of the element of a tensor of shape `from` that broadcasts there.
fn broadcast_places(from: &Shape, to: &Shape) -> Result<Vec<usize>, String> {
    if broadcast(from, to)? != *to {
        return Err(format!("{from} does not broadcast to {to}"));
    }
    let (own, skipped) = (strides(from), to.len() - from.len());
    places(to, |d, coordinate| match d.checked_sub(skipped) {
        Some(d) if from[d] > 1 => coordinate * own[d],
        _ => 0,
    })
}
