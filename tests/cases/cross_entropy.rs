//! Cross-entropy, its gradient, and the count of correct predictions.

use crate::harness::{Case, floats, labels, scaled};
use wgrad::ops::correct::CorrectPredictions;
use wgrad::ops::cross_entropy::{ClassScores, CrossEntropy, CrossEntropyGrad, CrossEntropyWithGrad};
use wgrad::ops::losses::Reduction;
use wgrad::{HostData, HostTensor, Shape};

fn given(labels: &[i32]) -> HostTensor {
    HostTensor { shape: Shape::from([labels.len()]), data: HostData::I32(labels.to_vec()) }
}

/// Every second label replaced by -100.
fn half_ignored(count: usize, classes: usize) -> HostTensor {
    let mut tensor = labels(count, classes, 7);
    if let HostData::I32(data) = &mut tensor.data {
        data.iter_mut().step_by(2).for_each(|label| *label = -100);
    }
    tensor
}

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    let mut add = |name: &str, attributes: CrossEntropy, logits: HostTensor, labels: HostTensor| {
        let inputs = vec![logits, labels];
        let correct = Case::new(name, CorrectPredictions, inputs.clone());
        let forward = Case::new(name, attributes, inputs.clone());
        let arrays: Vec<_> = inputs.iter().map(crate::harness::array).collect();
        let count = forward.operator.reference(&arrays.iter().collect::<Vec<_>>())[1].data[0] as f32;
        let upstream = HostTensor::filled([0; 0], -1.75).expect("it is small");
        let mut both = Case::new(name, CrossEntropyWithGrad { forward: attributes }, inputs.clone());
        both.inputs.push(upstream.clone());
        // For few logits only.
        if both.operator.infer(&both.kinds().iter().collect::<Vec<_>>()).is_ok() {
            cases.push(both);
        }
        let mut inputs = inputs;
        inputs.push(HostTensor::filled([0; 0], count).expect("it is small"));
        inputs.push(upstream);
        cases.push(Case::new(name, CrossEntropyGrad { forward: attributes }, inputs));
        cases.push(forward);
        cases.push(correct);
    };
    let default = CrossEntropy::default();
    let smoothed = CrossEntropy { label_smoothing: 0.2, ..default };
    for (name, rows, classes) in [
        ("one row, one class", 1, 1),
        ("digits", 128, 10),
        ("primes", 17, 7),
        ("more rows than one workgroup has invocations", 601, 10),
        ("as many classes as invocations", 5, 64),
        ("a team a row, primes", 13, 101),
        ("many classes", 33, 1000),
        ("too many rows for one workgroup", 2003, 11),
        ("more rows than one workgroup counts", 16_700, 64),
        ("rows too long for teams", 2, 700_001),
    ] {
        add(name, default, scaled([rows, classes], 1, 3.0), labels(rows, classes, 2));
        add(
            &format!("{name}, half of them ignored"),
            default,
            scaled([rows, classes], 3, 3.0),
            half_ignored(rows, classes),
        );
    }
    add("logits of up to 1e30", default, scaled([11, 10], 4, 1e30), labels(11, 10, 5));
    add("logits of 10,000", default, scaled([19, 10], 4, 1e4), labels(19, 10, 5));
    for (name, rows, classes) in [("well trained", 9, 10), ("well trained, a team a row", 9, 70)] {
        // Losses of about 1e-5: rounding 1 + rest would show.
        let labels = labels(rows, classes, 8);
        let mut logits = scaled([rows, classes], 7, 1.0);
        if let (HostData::F32(x), HostData::I32(labels)) = (&mut logits.data, &labels.data) {
            labels.iter().enumerate().for_each(|(n, &label)| x[n * classes + label as usize] = 14.0);
        }
        add(name, default, logits, labels);
    }
    add("every label ignored", default, scaled([6, 5], 5, 2.0), given(&[-100; 6]));
    add(
        "a class ignored",
        CrossEntropy { ignore_index: 2, ..default },
        scaled([7, 4], 6, 2.0),
        labels(7, 4, 6),
    );
    add("ties", default, HostTensor::filled([4, 67], 1.0).expect("it is small"), given(&[0, 1, 66, 0]));
    for (name, attributes, shape, weighted) in [
        ("label smoothing", CrossEntropy { label_smoothing: 0.1, ..default }, &[13, 7][..], false),
        ("weights of classes", default, &[13, 7], true),
        (
            "weights and smoothing, a team a row",
            CrossEntropy { label_smoothing: 0.3, ..default },
            &[5, 67],
            true,
        ),
        ("a label for each pixel", default, &[3, 5, 7, 3], false),
        ("a label for each pixel, one row an invocation", smoothed, &[2, 3, 32, 33], true),
        (
            "rows too long for teams, side by side",
            CrossEntropy { reduction: Reduction::Sum, ..smoothed },
            &[1, 1_050_000, 2],
            true,
        ),
        ("sum", CrossEntropy { reduction: Reduction::Sum, ..default }, &[13, 7], true),
        (
            "many rows, in parts",
            CrossEntropy { reduction: Reduction::Sum, ..default },
            &[1, 2, 131, 131],
            false,
        ),
        ("many rows, in parts, their mean", default, &[1, 2, 131, 131], true),
        (
            "one loss for each label",
            CrossEntropy { label_smoothing: 0.1, reduction: Reduction::None, ..default },
            &[4, 5, 6],
            true,
        ),
    ] {
        cases.extend(family(name, attributes, shape, weighted));
        let scores = ClassScores::LogProbabilities;
        if shape.len() < 4 {
            let attributes = CrossEntropy { scores, ..attributes };
            cases.extend(family(&format!("{name}, of logarithms"), attributes, shape, weighted));
        }
    }
    let logarithms = CrossEntropy { scores: ClassScores::LogProbabilities, label_smoothing: 0.1, ..default };
    cases.extend(family("a row too long for a team, of logarithms", logarithms, &[1, 2_100_001], false));
    cases
}

/// The loss and its gradient, half of the labels ignored.
pub fn family(name: &str, attributes: CrossEntropy, shape: &[usize], weighted: bool) -> Vec<Case> {
    let mut rows = shape.to_vec();
    let classes = rows.remove(1);
    let mut labels = half_ignored(rows.iter().product(), classes);
    labels.shape = Shape::from(rows);
    // Logarithms of probabilities are below zero, so that the terms do not cancel.
    let logits = scaled(shape, 1, 3.0).to_f64().iter().map(|x| (x - 3.5) as f32).collect();
    let mut inputs = vec![floats(shape, logits), labels];
    let weight = scaled([classes], 2, 1.0).to_f64().iter().map(|x| (x + 1.5) as f32).collect();
    let weight = weighted.then(|| floats([classes], weight));
    inputs.extend(weight.clone());
    let forward = Case::new(name, attributes, inputs.clone());
    let arrays: Vec<_> = inputs.iter().map(crate::harness::array).collect();
    let outputs = forward.operator.reference(&arrays.iter().collect::<Vec<_>>());
    let upstream = scaled(outputs[0].shape.clone(), 3, 2.0);
    let count = match outputs.get(1) {
        Some(count) => HostTensor::filled([0; 0], count.data[0] as f32).expect("it is small"),
        None => upstream.clone(),
    };
    inputs.truncate(2);
    inputs.extend([count, upstream].into_iter().chain(weight));
    vec![forward, Case::new(name, CrossEntropyGrad { forward: attributes }, inputs)]
}

/// The seed network's loss and a thousand classes.
pub fn large() -> Vec<Case> {
    let mut cases = Vec::new();
    for (rows, classes) in [(64, 10), (256, 1000)] {
        let inputs = vec![scaled([rows, classes], 1, 3.0), labels(rows, classes, 2)];
        let name = format!("{rows}x{classes}");
        cases.push(Case::new(name.clone(), CorrectPredictions, inputs.clone()));
        cases.push(Case::new(name.clone(), CrossEntropy::default(), inputs.clone()));
        let mut inputs = inputs;
        inputs.push(HostTensor::filled(Shape::scalar(), rows as f32).expect("it is small"));
        inputs.push(HostTensor::filled(Shape::scalar(), 1.0).expect("it is small"));
        cases.push(Case::new(name, CrossEntropyGrad { forward: CrossEntropy::default() }, inputs));
    }
    cases
}
