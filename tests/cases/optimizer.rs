//! Optimizer updates over several tensors: arenas with gaps, every attribute, early and late steps.

use crate::harness::{Case, numbers, scaled};
use wgrad::ops::optimizer::{AdamUpdate, Clip, SgdUpdate};
use wgrad::{HostData, HostTensor, Shape};

/// Odd sizes, so that every tensor but one is padded, and more than one workgroup.
const SHAPES: [&[usize]; 5] = [&[3, 5], &[1], &[64], &[17, 67], &[]];

fn run(seed: u64, scale: f32) -> impl Iterator<Item = HostTensor> {
    SHAPES.iter().enumerate().map(move |(i, &shape)| scaled(shape, seed + i as u64, scale))
}

/// Squares are not negative.
fn squares(seed: u64) -> impl Iterator<Item = HostTensor> {
    SHAPES.iter().enumerate().map(move |(i, &shape)| {
        let data = numbers(shape, seed + i as u64).to_f64().iter().map(|&x| (x * x) as f32).collect();
        HostTensor::f32(shape, data)
    })
}

fn scalars(rate: f32, step: u32) -> [HostTensor; 2] {
    let step = HostTensor { shape: Shape::scalar(), data: HostData::U32(vec![step]) };
    [HostTensor::filled(Shape::scalar(), rate), step]
}

pub fn cases() -> Vec<Case> {
    let parameters = SHAPES.len();
    let mut cases = Vec::new();
    let clip = Clip::default();
    let [by_value, by_norm] = [Clip { value: Some(0.4), ..clip }, Clip { norm: Some(0.7), ..clip }];
    let by_both = Clip { value: by_value.value, norm: by_norm.norm };
    let plain =
        SgdUpdate { parameters, momentum: 0.0, dampening: 0.0, weight_decay: 0.0, nesterov: false, clip };
    for (name, weight_decay, clip) in [
        ("plain", 0.0, clip),
        ("weight decay", 0.3, clip),
        ("clipped by value", 0.0, by_value),
        ("clipped by norm", 0.0, by_norm),
        ("clipped by value, then by norm, with weight decay", 0.3, by_both),
        ("a norm that is small enough", 0.0, Clip { norm: Some(1e3), ..clip }),
    ] {
        let mut inputs: Vec<_> = run(1, 1.0).chain(run(11, 2.0)).collect();
        inputs.extend(scalars(0.3, 0).into_iter().take(1));
        cases.push(Case::new(name, SgdUpdate { weight_decay, clip, ..plain.clone() }, inputs));
    }
    for (name, dampening, weight_decay, nesterov, step, clip) in [
        ("momentum, first step", 0.0, 0.0, false, 0, clip),
        ("momentum with dampening, first step", 0.5, 0.0, false, 0, clip),
        ("momentum with dampening, second step", 0.5, 0.0, false, 1, clip),
        ("momentum with weight decay", 0.0, 0.2, false, 7, clip),
        ("nesterov with weight decay", 0.0, 0.2, true, 7, clip),
        ("momentum, clipped by value", 0.0, 0.0, false, 7, by_value),
        ("nesterov with weight decay, clipped by norm", 0.0, 0.2, true, 7, by_norm),
    ] {
        let update = SgdUpdate { momentum: 0.9, dampening, weight_decay, nesterov, parameters, clip };
        let mut inputs: Vec<_> = run(1, 1.0).chain(run(11, 2.0)).chain(run(21, 1.0)).collect();
        inputs.extend(scalars(0.3, step));
        cases.push(Case::new(name, update, inputs));
    }
    let (beta1, beta2) = (0.9, 0.999);
    let adam = AdamUpdate { parameters, beta1, beta2, eps: 1e-8, weight_decay: 0.0, decoupled: false, clip };
    let steps = [0, 1, 2, 8, 9, 10, 99, 999, 1_000, 123_456, 40_000_000, u32::MAX];
    let mut add = |name: String, update: AdamUpdate, step: u32| {
        let mut inputs: Vec<_> =
            run(1, 1.0).chain(run(11, 2.0)).chain(run(21, 1.0)).chain(squares(31)).collect();
        inputs.extend(scalars(0.3, step));
        cases.push(Case::new(name, update, inputs));
    };
    for step in steps {
        add(format!("step {step}"), adam.clone(), step);
        let slow = AdamUpdate { beta1: 0.99, beta2: 0.99999, eps: 1e-3, ..adam.clone() };
        add(format!("slow decay, step {step}"), slow, step);
    }
    add("no decay of the mean".into(), AdamUpdate { beta1: 0.0, ..adam.clone() }, 3);
    add("weight decay".into(), AdamUpdate { weight_decay: 0.4, ..adam.clone() }, 3);
    add(
        "decoupled weight decay".into(),
        AdamUpdate { weight_decay: 0.4, decoupled: true, ..adam.clone() },
        3,
    );
    add("clipped by value".into(), AdamUpdate { clip: by_value, ..adam.clone() }, 3);
    add(
        "clipped by value and norm, weight decay".into(),
        AdamUpdate { weight_decay: 0.4, clip: by_both, ..adam.clone() },
        3,
    );
    add("clipped by norm, decoupled".into(), AdamUpdate { clip: by_norm, decoupled: true, ..adam }, 3);
    cases
}

/// A million parameters in two layers.
pub fn large() -> Vec<Case> {
    let run = |seed| [numbers([1000, 1000], seed), numbers([1000], seed + 1)];
    let mut momentum: Vec<_> = [run(1), run(3), run(5)].into_iter().flatten().collect();
    momentum.extend(scalars(1e-3, 5));
    let squares = run(7).map(|tensor| {
        let data = tensor.to_f64().iter().map(|&x| (x * x) as f32).collect();
        HostTensor::f32(tensor.shape, data)
    });
    let mut adam: Vec<_> = [run(1), run(3), run(5), squares].into_iter().flatten().collect();
    adam.extend(scalars(1e-3, 5));
    let clip = Clip::default();
    let (parameters, weight_decay) = (2, 1e-4);
    let sgd = SgdUpdate { parameters, momentum: 0.9, dampening: 0.0, weight_decay, nesterov: false, clip };
    let clipped = SgdUpdate { clip: Clip { value: Some(0.5), norm: Some(1.0) }, ..sgd.clone() };
    let (beta1, beta2, eps) = (0.9, 0.999, 1e-8);
    let update = AdamUpdate { parameters, beta1, beta2, eps, weight_decay: 0.01, decoupled: true, clip };
    vec![
        Case::new("a million", sgd, momentum.clone()),
        Case::new("a million, clipped", clipped, momentum),
        Case::new("a million", update, adam),
    ]
}
