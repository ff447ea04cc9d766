//! Losses of float targets, every reduction, and their gradients by predictions and targets.

use crate::harness::{Case, floats, numbers, scaled};
use wgrad::HostTensor;
use wgrad::op::Operator;
use wgrad::ops::loss::{ElementLoss, ElementReduction, Loss, LossGrad};

pub const ELEMENTS: [ElementLoss; 8] = [
    ElementLoss::Mse,
    ElementLoss::L1,
    ElementLoss::SmoothL1 { beta: 0.5 },
    ElementLoss::SmoothL1 { beta: 0.0 },
    ElementLoss::Huber { delta: 0.7 },
    ElementLoss::BceWithLogits,
    ElementLoss::KlDiv,
    ElementLoss::KlDivOfLogarithms,
];

/// The loss of these inputs and both of its gradients.
pub fn passes(name: &str, loss: Loss, inputs: Vec<HostTensor>) -> Vec<Case> {
    let forward = Case::new(name, loss, inputs.clone());
    let kinds = forward.kinds();
    let output = loss.infer(&kinds.iter().collect::<Vec<_>>()).expect("the case is valid").remove(0);
    let backward = inputs.into_iter().chain([numbers(output.shape, 9)]).collect::<Vec<_>>();
    let gradients = [false, true].map(|by_target| {
        Case::new(format!("{name}, gradient"), LossGrad { forward: loss, by_target }, backward.clone())
    });
    [forward].into_iter().chain(gradients).collect()
}

/// Predictions and targets of the kinds that the loss is for. Those of divergences are no distributions, so
/// that the terms do not cancel.
pub fn inputs(element: ElementLoss, shape: &[usize]) -> Vec<HostTensor> {
    let [x, t] = [scaled(shape, 1, 2.0), scaled(shape, 2, 2.0)];
    let mapped = |tensor: &HostTensor, f: fn(f64) -> f64| {
        floats(shape, tensor.to_f64().iter().map(|&x| f(x) as f32).collect())
    };
    match element {
        ElementLoss::BceWithLogits => vec![scaled(shape, 1, 9.0), mapped(&t, |t| (t + 2.0) / 4.0)],
        // Some targets are nothing, and no term is below zero.
        ElementLoss::KlDiv => {
            vec![mapped(&x, |x| -x.abs() - 3.0), mapped(&t, |t| if t < -1.0 { 0.0 } else { t.abs() + 0.1 })]
        }
        ElementLoss::KlDivOfLogarithms => vec![mapped(&x, |x| x - 5.0), mapped(&t, |t| -t.abs())],
        _ => vec![x, t],
    }
}

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for element in ELEMENTS {
        for (name, shape, reduction) in [
            ("a prime", &[37][..], ElementReduction::Mean),
            ("several workgroups, in fours", &[3, 5, 4, 64], ElementReduction::None),
            ("several parts", &[37, 1024], ElementReduction::Sum),
            ("the mean over the batch", &[6, 5, 7], ElementReduction::BatchMean),
        ] {
            cases.extend(passes(name, Loss { element, reduction }, inputs(element, shape)));
        }
    }
    let loss = Loss { element: ElementLoss::BceWithLogits, reduction: ElementReduction::Mean };
    for (name, shape, weight) in [
        ("one weight of positive targets", &[5, 3][..], &[][..]),
        ("a weight for each class", &[9, 4], &[4]),
        ("a weight for each channel", &[2, 3, 5, 7], &[3, 1, 1]),
    ] {
        let mut inputs = inputs(loss.element, shape);
        inputs.push(scaled(weight, 3, 4.0));
        cases.extend(passes(name, loss, inputs));
    }
    let far = floats([8], vec![-1e30, -200.0, -90.0, -17.0, 17.0, 90.0, 200.0, 1e30]);
    for t in [0.0, 1.0] {
        let loss = Loss { element: ElementLoss::BceWithLogits, reduction: ElementReduction::None };
        cases.extend(passes(
            "far logits",
            loss,
            vec![far.clone(), HostTensor::filled([8], t).expect("it is small")],
        ));
    }
    let loss = Loss { element: ElementLoss::L1, reduction: ElementReduction::None };
    let equal = numbers([5], 4);
    cases.extend(passes("equal elements", loss, vec![equal.clone(), equal]));
    cases
}

/// A regression of images.
pub fn large() -> Vec<Case> {
    let element = ElementLoss::Mse;
    passes(
        "64x1x28x28",
        Loss { element, reduction: ElementReduction::Mean },
        inputs(element, &[64, 1, 28, 28]),
    )
}
