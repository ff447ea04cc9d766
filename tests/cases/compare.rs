//! Comparisons of two tensors, choices between two, and their gradients.

use super::arithmetic::coarse;
use crate::harness::{Case, floats, numbers};
use wgrad::HostTensor;
use wgrad::op::Operator;
use wgrad::ops::compare::{Compare, Where, WhereGrad};

pub const ALL: [Compare; 6] = [Compare::Eq, Compare::Ne, Compare::Lt, Compare::Le, Compare::Gt, Compare::Ge];

/// Numbers with few different values, so that many are equal.
fn comparison(name: &str, function: Compare, lhs: &[usize], rhs: &[usize]) -> Case {
    Case::new(name, function, vec![coarse(lhs, 1), coarse(rhs, 2)])
}

/// Ones and zeros, as comparisons make them, and some other numbers, which are true too.
fn condition(shape: &[usize]) -> HostTensor {
    let tensor = coarse(shape, 3);
    let data = tensor.to_f64().iter().map(|&x| if x > 0.5 { 1.0 } else { x.min(0.0) as f32 }).collect();
    floats(tensor.shape, data)
}

/// A choice, and its gradients by both operands.
pub fn choice(name: &str, shape: &[usize], a: &[usize], b: &[usize]) -> Vec<Case> {
    let condition = condition(shape);
    let forward = Case::new(name, Where, vec![condition.clone(), numbers(a, 1), numbers(b, 2)]);
    let types: Vec<_> = forward.inputs.iter().map(HostTensor::ty).collect();
    let output = Where.infer(&types.iter().collect::<Vec<_>>()).expect("the case is valid").remove(0);
    let gradient = |chosen| {
        let dy = numbers(output.shape.clone(), 4);
        Case::new(name, WhereGrad { chosen }, vec![condition.clone(), dy])
    };
    vec![forward, gradient(true), gradient(false)]
}

/// Numbers next to each other, of both signs, with both zeros, denormal and the largest ones, NaN and infinities: each
/// pair of them.
fn edges() -> [HostTensor; 2] {
    let above = f32::from_bits(1.0f32.to_bits() + 1);
    let edges = [
        0.0,
        -0.0,
        f32::from_bits(1),
        -f32::from_bits(1),
        1.0,
        above,
        -1.0,
        -above,
        f32::MAX,
        f32::MIN,
        f32::INFINITY,
        f32::NEG_INFINITY,
        f32::NAN,
        -f32::NAN,
    ];
    [floats([14, 1], edges.to_vec()), floats([14], edges.to_vec())]
}

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for function in ALL {
        cases.push(comparison("a prime past a workgroup", function, &[67], &[67]));
        cases.push(comparison("both stretch", function, &[4, 1, 8], &[1, 5, 1]));
        cases.push(Case::new("edges of f32, and NaN", function, edges().to_vec()));
    }
    cases.push(comparison("one element", Compare::Eq, &[1], &[1]));
    cases.push(comparison("a scalar", Compare::Gt, &[3, 3], &[]));
    cases.push(comparison("a scalar, four at a time", Compare::Le, &[4, 6], &[]));
    cases.push(comparison("along channels", Compare::Lt, &[2, 3, 4, 5], &[3, 1, 1]));
    cases.extend(choice("a prime past a workgroup", &[67], &[67], &[67]));
    cases.extend(choice("four at a time", &[4, 3, 8], &[4, 3, 8], &[4, 3, 8]));
    cases.extend(choice("all three stretch", &[4, 1, 1], &[3, 1], &[5]));
    cases.extend(choice("all three stretch, four at a time", &[1, 3, 1], &[2, 1, 8], &[3, 1]));
    cases.extend(choice("numbers", &[3, 5], &[], &[1]));
    cases.extend(choice("a condition along channels", &[6, 1, 1], &[2, 6, 3, 2], &[2, 6, 3, 2]));
    cases.extend(choice("one condition", &[], &[3, 7], &[7]));
    cases.extend(choice(
        "three runs on every side",
        &[2, 1, 3, 1, 2, 2],
        &[2, 1, 3, 1, 2],
        &[2, 1, 1, 3, 1, 2],
    ));
    let [lhs, rhs] = edges();
    let all = |x: &HostTensor| floats([14, 14], (0..196).map(|i| x.to_f64()[i % 14] as f32).collect());
    cases.push(Case::new(
        "edges of f32, and NaN",
        Where,
        vec![lhs.clone(), rhs.clone(), numbers([14, 14], 1)],
    ));
    cases.push(Case::new(
        "what is not chosen is lost",
        Where,
        vec![condition(&[14, 14]), all(&rhs), floats([], vec![0.5])],
    ));
    for chosen in [true, false] {
        cases.push(Case::new("edges of f32, and NaN", WhereGrad { chosen }, vec![lhs.clone(), all(&rhs)]));
    }
    cases
}

/// A mask of activations, and a choice by one.
pub fn large() -> Vec<Case> {
    let activation = [64, 32, 14, 14];
    let mut cases = choice("64x32x14x14", &activation, &activation, &[]);
    cases.push(comparison("64x32x14x14", Compare::Gt, &activation, &[]));
    cases
}
