//! Functions of one tensor, and their gradients.

use crate::harness::{Case, numbers, scaled};
use wgrad::HostTensor;
use wgrad::ops::unary::{Unary, UnaryGrad};

const ALL: [Unary; 3] = [Unary::Relu, Unary::Sigmoid, Unary::Tanh];

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for function in ALL {
        let extreme =
            HostTensor::f32([11], vec![-1e30, -1e4, -100.0, -30.0, -1e-6, 0.0, 1e-6, 30.0, 100.0, 1e4, 1e30]);
        cases.push(Case::new("extremes", function, vec![extreme]));
        cases.push(Case::new("around zero", function, vec![scaled([4, 33], 4, 0.4)]));
        for (name, shape) in [
            ("one element", &[1][..]),
            ("a prime", &[3, 37]),
            ("four by four past a workgroup", &[4, 3, 5, 20]),
            ("several workgroups, the last one part full", &[2, 6, 11, 32]),
            ("several workgroups of single elements", &[7, 11, 13]),
        ] {
            cases.push(Case::new(name, function, vec![scaled(shape, 1, 6.0)]));
            // An output of the function, as in a network.
            let y = numbers(shape, 2);
            cases.push(Case::new(name, UnaryGrad { function }, vec![y, numbers(shape, 3)]));
        }
    }
    for function in [Unary::Scale { factor: -2.5 }, Unary::Shift { amount: 0.375 }] {
        cases.push(Case::new("a prime", function, vec![numbers([37], 5)]));
        cases.push(Case::new("four at a time", function, vec![numbers([3, 4], 6)]));
    }
    cases
}

/// The seed network's activations, forward and backward.
pub fn large() -> Vec<Case> {
    let shape = [64, 32, 14, 14];
    ALL.iter()
        .flat_map(|&function| {
            let backward = UnaryGrad { function };
            [
                Case::new("64x32x14x14", function, vec![numbers(shape, 1)]),
                Case::new("64x32x14x14", backward, vec![numbers(shape, 2), numbers(shape, 3)]),
            ]
        })
        .collect()
}
