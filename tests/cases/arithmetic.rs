//! Arithmetic of two tensors with broadcasting, and the gradients that are operators of their own.

use crate::harness::{Case, floats, numbers};
use wgrad::HostTensor;
use wgrad::ops::arithmetic::{Binary, ExtremumGrad};

pub const ALL: [Binary; 6] =
    [Binary::Add, Binary::Sub, Binary::Mul, Binary::Div, Binary::Maximum, Binary::Minimum];

/// Numbers of a few values, so that many of two tensors are equal.
pub fn coarse(shape: &[usize], seed: u64) -> HostTensor {
    let tensor = numbers(shape, seed);
    let data = tensor.to_f64().iter().map(|x| (2.0 * x).round() as f32 / 2.0).collect();
    floats(tensor.shape, data)
}

/// A function with numbers that it is defined for.
pub fn case(name: &str, function: Binary, lhs: &[usize], rhs: &[usize]) -> Case {
    let divisor = |tensor: HostTensor| {
        let data = tensor.to_f64().iter().map(|&x| (x + 0.25 * x.signum()) as f32).collect();
        floats(tensor.shape, data)
    };
    let rhs = numbers(rhs, 2);
    let rhs = if function == Binary::Div { divisor(rhs) } else { rhs };
    Case::new(name, function, vec![numbers(lhs, 1), rhs])
}

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for function in ALL {
        let add = |name, lhs: &[usize], rhs: &[usize]| case(name, function, lhs, rhs);
        cases.push(add("a prime past a workgroup", &[67], &[67]));
        cases.push(add("both stretch", &[4, 1, 3], &[1, 5, 1]));
    }
    let mut several =
        |name, function, lhs: &[usize], rhs: &[usize]| cases.push(case(name, function, lhs, rhs));
    several("one element", Binary::Mul, &[1], &[1]);
    several("a scalar", Binary::Sub, &[3, 3], &[]);
    several("by a scalar of four at a time", Binary::Div, &[], &[4, 6]);
    several("a bias along the last dimension", Binary::Add, &[5, 7], &[7]);
    several("along the last dimension, four at a time", Binary::Sub, &[5, 8], &[8]);
    several("a bias along channels", Binary::Add, &[2, 3, 4, 5], &[3, 1, 1]);
    several("along channels that four straddle", Binary::Mul, &[2, 6, 3, 2], &[6, 1, 1]);
    several("two runs, four at a time", Binary::Sub, &[3, 5, 8], &[3, 1, 8]);
    several("two runs that share four at a time", Binary::Div, &[3, 2, 5, 4], &[3, 1, 5, 1]);
    several("two runs that four straddle", Binary::Mul, &[4, 3, 5], &[4, 1, 5]);
    several("three runs on both sides", Binary::Sub, &[2, 1, 3, 1, 2, 2], &[2, 2, 1, 3, 1, 2]);
    several("three runs, four at a time", Binary::Sub, &[3, 1, 5, 1, 2, 4], &[3, 2, 5, 3, 2, 4]);
    several("runs between ones", Binary::Mul, &[1, 3, 1, 1, 5, 1], &[2, 3, 7, 1, 5, 1]);
    several("several workgroups", Binary::Mul, &[3, 7, 11, 13], &[7, 1, 13]);
    for function in [Binary::Maximum, Binary::Minimum] {
        for (name, own, other) in
            [("ties", &[37][..], &[37][..]), ("ties of both stretched", &[4, 1, 8], &[3, 1])]
        {
            let shape: &[usize] = if own.len() == 1 { &[37] } else { &[4, 3, 8] };
            let inputs = vec![numbers(shape, 3), coarse(own, 1), coarse(other, 2)];
            cases.push(Case::new(name, ExtremumGrad { function }, inputs));
        }
    }
    cases
}

/// A residual addition; scaling by channel, as squeeze and excitation do.
pub fn large() -> Vec<Case> {
    let activation = [64, 32, 14, 14];
    vec![
        case("64x32x14x14", Binary::Add, &activation, &activation),
        case("64x32x14x14 by 64x32x1x1", Binary::Mul, &activation, &[64, 32, 1, 1]),
        case("64x32x14x14 by 64x1x14x14", Binary::Mul, &activation, &[64, 1, 14, 14]),
    ]
}
