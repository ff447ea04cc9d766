//! Arithmetic with broadcasting.

use super::node::{Node, one};
use super::{Held, Outcome};
use crate::graph::{Graph, Value};
use crate::onnx::constant::broadcast;
use crate::onnx::tensor::Tensor;
use crate::tensor::Shape;

/// A number that an operand holds, if the result has the other operand's shape.
fn number(node: &Node<'_, '_, '_>, i: usize) -> Option<f32> {
    let number = node.single(i).filter(|number| number.is_finite())?;
    let (own, other) = (node.shape(i).ok()?, node.shape(1 - i).ok()?);
    (own.len() <= other.len()).then_some(number)
}

pub(super) fn binary(node: &mut Node<'_, '_, '_>) -> Outcome<Vec<Held>> {
    node.attributes.ignore(&[]);
    let operator = node.operator();
    // A constant of one number needs no operand.
    let (left, right) = (number(node, 0), number(node, 1));
    match (operator, left, right) {
        ("Add", Some(amount), None) => {
            let x = node.value(1)?;
            return Ok(one(node.g().shift(x, amount)?));
        }
        ("Mul", Some(factor), None) => {
            let x = node.value(1)?;
            return Ok(one(node.g().scale(x, factor)?));
        }
        ("Add", None, Some(amount)) | ("Sub", None, Some(amount)) => {
            let x = node.value(0)?;
            return Ok(one(node.g().shift(x, if operator == "Sub" { -amount } else { amount })?));
        }
        ("Mul", None, Some(factor)) => {
            let x = node.value(0)?;
            return Ok(one(node.g().scale(x, factor)?));
        }
        _ => {}
    }
    let (a, b) = (node.value(0)?, node.value(1)?);
    let g = node.g();
    Ok(one(match operator {
        "Add" => g.add(a, b)?,
        "Sub" => g.sub(a, b)?,
        "Mul" => g.mul(a, b)?,
        _ => g.div(a, b)?,
    }))
}

pub(super) fn unary(node: &mut Node<'_, '_, '_>) -> Outcome<Vec<Held>> {
    let x = node.value(0)?;
    Ok(one(match node.operator() {
        "Abs" => node.g().abs(x)?,
        "Exp" => node.g().exp(x)?,
        "Log" => node.g().log(x)?,
        "Neg" => node.g().neg(x)?,
        "Sqrt" => node.g().sqrt(x)?,
        // Reciprocal.
        _ => {
            let unit = node.numbers(Shape::scalar(), vec![1.0])?;
            node.g().div(unit, x)?
        }
    }))
}

/// Operators of any number of inputs.
pub(super) fn variadic(node: &mut Node<'_, '_, '_>) -> Outcome<Vec<Held>> {
    let operator = node.operator();
    let function: fn(&mut Graph, Value, Value) -> crate::error::Result<Value> = match operator {
        "Max" => Graph::maximum,
        "Min" => Graph::minimum,
        _ => Graph::add,
    };
    let mut y = node.value(0)?;
    for i in 1..node.count() {
        let next = node.value(i)?;
        y = function(node.g(), y, next)?;
    }
    if operator == "Mean" {
        let count = node.count() as f32;
        y = node.g().scale(y, 1.0 / count)?;
    }
    Ok(one(y))
}

pub(super) fn power(node: &mut Node<'_, '_, '_>) -> Outcome<Vec<Held>> {
    if let Some(base) = node.single(0).filter(|&base| base > 0.0 && base.is_finite()) {
        let exponent = node.value(1)?;
        let scaled = node.g().scale(exponent, f64::from(base).ln() as f32)?;
        return Ok(one(node.g().exp(scaled)?));
    }
    let tensor = node.host(1)?;
    let exponents = tensor.to_f64();
    let Some(&exponent) = exponents.first().filter(|first| exponents.iter().all(|x| x == *first)) else {
        return Err("exponents that differ are not supported".into());
    };
    let (x, shape) = (node.value(0)?, node.shape(0)?);
    let wide = broadcast(&shape, &tensor.shape)?;
    let x = if wide == shape { x } else { node.g().expand(x, wide)? };
    Ok(one(match exponent {
        1.0 => x,
        0.5 => node.g().sqrt(x)?,
        2.0 => node.g().mul(x, x)?,
        _ => node.g().pow(x, exponent as f32)?,
    }))
}

/// A choice by a known condition: each operand is multiplied by ones and zeros, and a known operand is masked at once.
pub(super) fn choose(node: &mut Node<'_, '_, '_>) -> Outcome<Vec<Held>> {
    let condition = node.host(0)?;
    let Some(truth) = condition.as_bools() else {
        return Err(format!("expects a condition of truth values, found {}", condition.element).into());
    };
    let whole = broadcast(&broadcast(&condition.shape, &node.shape(1)?)?, &node.shape(2)?)?;
    if let Some(&all) = truth.first().filter(|first| truth.iter().all(|x| x == *first)) {
        let i = if all { 1 } else { 2 };
        let x = node.value(i)?;
        return Ok(one(if node.shape_of(x) == whole { x } else { node.g().expand(x, whole)? }));
    }
    let mut terms = Vec::with_capacity(2);
    for (i, chosen) in [(1, true), (2, false)] {
        let mask: Vec<f32> = truth.iter().map(|&x| f32::from(u8::from(x == chosen))).collect();
        terms.push(match node.held(i)? {
            Held::Host(tensor) => masked(node, &tensor, &condition, chosen)?,
            _ => {
                let x = node.value(i)?;
                let mask = node.numbers(condition.shape.clone(), mask)?;
                node.g().mul(x, mask)?
            }
        });
    }
    let y = node.g().add(terms[0], terms[1])?;
    Ok(one(if node.shape_of(y) == whole { y } else { node.g().expand(y, whole)? }))
}

/// A known tensor with zeros where the condition chooses the other. It may hold infinities, which no mask multiplies.
fn masked(node: &mut Node<'_, '_, '_>, tensor: &Tensor, condition: &Tensor, chosen: bool) -> Outcome<Value> {
    let shape = broadcast(&condition.shape, &tensor.shape)?;
    let zero = Tensor::floats(tensor.element, Shape::scalar(), vec![0.0]);
    let inputs = if chosen { [condition, tensor, &zero] } else { [condition, &zero, tensor] };
    let made = crate::onnx::constant::choose(inputs)?;
    debug_assert_eq!(made.shape, shape);
    node.constant(&made)
}
