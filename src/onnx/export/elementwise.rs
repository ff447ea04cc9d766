//! Functions of elements, and softmax.

use super::message::{BOOL, FLOAT, float, int, string};
use super::node::Node;
use super::walk::Made;
use crate::ops::arithmetic::Binary;
use crate::ops::compare::{Compare, Where};
use crate::ops::elementwise::Copy;
use crate::ops::prelu::PRelu;
use crate::ops::softmax::Softmax;
use crate::ops::unary::Unary;

pub(super) fn unary(node: &mut Node<'_, '_>, function: &Unary) -> Result<Made, String> {
    let x = &node.input(0);
    let y = match *function {
        Unary::Relu => node.op("Relu", &[x], vec![]),
        Unary::LeakyRelu { slope } => node.op("LeakyRelu", &[x], vec![float("alpha", slope)]),
        Unary::Elu { alpha } => node.op("Elu", &[x], vec![float("alpha", alpha)]),
        Unary::Selu => node.op("Selu", &[x], vec![]),
        Unary::Gelu => node.op("Gelu", &[x], vec![string("approximate", "none")]),
        Unary::GeluTanh => node.op("Gelu", &[x], vec![string("approximate", "tanh")]),
        Unary::Silu => {
            let gate = node.op("Sigmoid", &[x], vec![]);
            node.op("Mul", &[x, &gate], vec![])
        }
        Unary::Mish => node.op("Mish", &[x], vec![]),
        // Past 20 the function is x as far as f32 goes.
        Unary::Softplus { beta: 1.0, threshold: 20.0.. } => node.op("Softplus", &[x], vec![]),
        Unary::Softplus { beta, threshold } => {
            let (beta, threshold) = (node.number(beta), node.number(threshold));
            let scaled = node.op("Mul", &[x, &beta], vec![]);
            let bent = node.op("Softplus", &[&scaled], vec![]);
            let bent = node.op("Div", &[&bent, &beta], vec![]);
            let above = node.op("Greater", &[&scaled, &threshold], vec![]);
            node.op("Where", &[&above, x, &bent], vec![])
        }
        Unary::Sigmoid => node.op("Sigmoid", &[x], vec![]),
        Unary::Tanh => node.op("Tanh", &[x], vec![]),
        Unary::HardSigmoid => {
            node.op("HardSigmoid", &[x], vec![float("alpha", 1.0 / 6.0), float("beta", 0.5)])
        }
        Unary::HardSwish => node.op("HardSwish", &[x], vec![]),
        Unary::HardTanh { min, max } => clip(node, x, Some(min), Some(max)),
        Unary::Clamp { min, max } => clip(node, x, min, max),
        Unary::Erf => node.op("Erf", &[x], vec![]),
        Unary::Exp => node.op("Exp", &[x], vec![]),
        Unary::Log => node.op("Log", &[x], vec![]),
        Unary::Sqrt => node.op("Sqrt", &[x], vec![]),
        Unary::Abs => node.op("Abs", &[x], vec![]),
        Unary::Sign => node.op("Sign", &[x], vec![]),
        Unary::Floor => node.op("Floor", &[x], vec![]),
        Unary::Ceil => node.op("Ceil", &[x], vec![]),
        Unary::Round => node.op("Round", &[x], vec![]),
        Unary::IsNan => {
            let truth = node.op("IsNaN", &[x], vec![]);
            node.cast(&truth, FLOAT)
        }
        Unary::IsInf => {
            let truth = node.op("IsInf", &[x], vec![]);
            node.cast(&truth, FLOAT)
        }
        Unary::Power { exponent } | Unary::NormPower { exponent } => with_number(node, "Pow", x, exponent),
        Unary::Scale { factor } => with_number(node, "Mul", x, factor),
        Unary::Shift { amount } => with_number(node, "Add", x, amount),
    };
    Ok(node.like_input(y))
}

/// An operator whose second input is a number.
pub(super) fn with_number(node: &mut Node<'_, '_>, operator: &str, x: &str, number: f32) -> String {
    let number = node.number(number);
    node.op(operator, &[x, &number], vec![])
}

fn clip(node: &mut Node<'_, '_>, x: &str, min: Option<f32>, max: Option<f32>) -> String {
    let mut bound = |bound: Option<f32>| bound.map_or_else(String::new, |bound| node.number(bound));
    let (min, max) = (bound(min), bound(max));
    node.op("Clip", &[x, &min, &max], vec![])
}

pub(super) fn binary(node: &mut Node<'_, '_>, function: &Binary) -> Result<Made, String> {
    let operator = match function {
        Binary::Add => "Add",
        Binary::Sub => "Sub",
        Binary::Mul => "Mul",
        Binary::Div => "Div",
        Binary::Maximum => "Max",
        Binary::Minimum => "Min",
    };
    let (lhs, rhs) = (node.input(0), node.input(1));
    let y = node.op(operator, &[&lhs, &rhs], vec![]);
    node.broadcast(y)
}

/// Truth values are numbers in the graph, and a type of their own in ONNX.
pub(super) fn compare(node: &mut Node<'_, '_>, function: &Compare) -> Result<Made, String> {
    let operator = match function {
        Compare::Eq | Compare::Ne => "Equal",
        Compare::Lt => "Less",
        Compare::Le => "LessOrEqual",
        Compare::Gt => "Greater",
        Compare::Ge => "GreaterOrEqual",
    };
    let (lhs, rhs) = (node.input(0), node.input(1));
    let mut truth = node.op(operator, &[&lhs, &rhs], vec![]);
    if *function == Compare::Ne {
        truth = node.op("Not", &[&truth], vec![]);
    }
    let y = node.cast(&truth, FLOAT);
    node.broadcast(y)
}

pub(super) fn choose(node: &mut Node<'_, '_>, _: &Where) -> Result<Made, String> {
    let [condition, a, b] = [0, 1, 2].map(|i| node.input(i));
    let condition = node.cast(&condition, BOOL);
    let y = node.op("Where", &[&condition, &a, &b], vec![]);
    node.broadcast(y)
}

pub(super) fn copy(node: &mut Node<'_, '_>, _: &Copy) -> Result<Made, String> {
    let x = node.input(0);
    let y = node.op("Identity", &[&x], vec![]);
    Ok(node.like_input(y))
}

/// The slope is one for all elements or one for each channel, and ONNX aligns it with the last dimension.
pub(super) fn prelu(node: &mut Node<'_, '_>, _: &PRelu) -> Result<Made, String> {
    node.fixed_from(1)?;
    let (x, mut slope) = (node.input(0), node.input(1));
    let (rank, slopes) = (node.shape(0).len(), node.shape(1).elements());
    if rank > 2 {
        let mut shape = vec![1; rank - 1];
        shape[0] = slopes;
        let shape = node.sizes(&shape);
        slope = node.op("Reshape", &[&slope, &shape], vec![]);
    }
    let y = node.op("PRelu", &[&x, &slope], vec![]);
    Ok(node.like_input(y))
}

pub(super) fn softmax(node: &mut Node<'_, '_>, softmax: &Softmax) -> Result<Made, String> {
    let x = node.input(0);
    let operator = if softmax.log { "LogSoftmax" } else { "Softmax" };
    let y = node.op(operator, &[&x], vec![int("axis", softmax.axis as i64)]);
    Ok(node.like_input(y))
}
