//! Rows and windows that are too long for one invocation and use other kernels, against the reference.

use crate::harness::{Case, device, failures, floats, labels, numbers};
use wgrad::op::MAX_ITERATIONS;
use wgrad::ops::argmax::ArgMax;
use wgrad::ops::cross_entropy::{CrossEntropy, CrossEntropyGrad};
use wgrad::ops::local_response_norm::{LocalResponseNorm, LocalResponseNormGrad};
use wgrad::ops::losses::Reduction;
use wgrad::ops::pool2d::{LpPool2d, MaxPool2d, Norm, Pool2d};
use wgrad::ops::softmax::Softmax;
use wgrad::{HostData, HostTensor};

/// Ordinary numbers, with another one in the middle of a row.
fn spotted(shape: [usize; 2], number: f32) -> HostTensor {
    let mut x = numbers(shape, 3);
    if let HostData::F32(data) = &mut x.data {
        data[shape[1] + shape[1] / 2] = number;
    }
    x
}

#[test]
pub fn of_long_rows_nothing_is_lost() {
    let classes = 64 * MAX_ITERATIONS as usize / 2 + 3;
    let _ = device();
    let mut cases = Vec::new();
    for number in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let x = spotted([2, classes], number);
        for log in [false, true] {
            cases.push(Case::new(format!("{number}"), Softmax { axis: 1, log }, vec![x.clone()]));
        }
        let label = labels(2, classes, 1);
        let forward = CrossEntropy { reduction: Reduction::Sum, ..CrossEntropy::default() };
        let scalar = |x: f32| floats(Vec::new(), vec![x]);
        let inputs = vec![x.clone(), label.clone(), scalar(2.0), scalar(1.0)];
        cases.push(Case::new(format!("{number}"), forward, vec![x.clone(), label]));
        cases.push(Case::new(format!("{number}"), CrossEntropyGrad { forward }, inputs));
        cases.push(Case::new(
            format!("{number}"),
            ArgMax { axis: 1, keepdim: false, smallest: false },
            vec![x],
        ));

        let side = 200;
        let mut plane = spotted([side, side], number);
        plane.shape = [1, 1, side, side].into();
        let whole = Pool2d::new([side, side]);
        cases.push(Case::new(format!("{number}"), MaxPool2d(whole.into()), vec![plane.clone()]));
        let norm = Norm { p: 2.5, pool: whole };
        cases.push(Case::new(format!("{number}"), LpPool2d(norm), vec![plane]));

        let channels = MAX_ITERATIONS as usize + 5;
        let mut column = spotted([2, channels], number);
        column.shape = [2, channels, 1].into();
        let wide = LocalResponseNorm { alpha: 0.5, ..LocalResponseNorm::new(channels) };
        let scales = HostTensor::filled(column.shape.clone(), number.abs()).expect("memory holds it");
        let gradient = numbers(column.shape.clone(), 4);
        cases.push(Case::new(format!("{number}"), wide, vec![column.clone()]));
        let inputs = vec![column, gradient, scales];
        cases.push(Case::new(format!("{number}"), LocalResponseNormGrad(wide), inputs));
    }
    let failures = failures(&cases);
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
}
