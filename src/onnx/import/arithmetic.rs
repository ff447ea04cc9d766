//! Arithmetic with broadcasting.

use super::node::{Node, one};
use super::{Held, Outcome};
use crate::graph::{Graph, Value};
use crate::onnx::constant::broadcast;
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
        "Erf" => node.g().erf(x)?,
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
