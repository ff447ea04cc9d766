//! Cross-entropy, its gradient, and the count of correct predictions.

use crate::harness::{Case, labels, scaled};
use wgrad::ops::correct::CorrectPredictions;
use wgrad::ops::cross_entropy::{CrossEntropy, CrossEntropyGrad, CrossEntropyWithGrad};
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
        let upstream = HostTensor::filled([0; 0], -1.75);
        let mut both = Case::new(name, CrossEntropyWithGrad { forward: attributes }, inputs.clone());
        both.inputs.push(upstream.clone());
        // For few logits only.
        if both.operator.infer(&both.kinds().iter().collect::<Vec<_>>()).is_ok() {
            cases.push(both);
        }
        let mut inputs = inputs;
        inputs.push(HostTensor::filled([0; 0], count));
        inputs.push(upstream);
        cases.push(Case::new(name, CrossEntropyGrad { forward: attributes }, inputs));
        cases.push(forward);
        cases.push(correct);
    };
    let default = CrossEntropy::default();
    for (name, rows, classes) in [
        ("one row, one class", 1, 1),
        ("digits", 128, 10),
        ("primes", 17, 7),
        ("more rows than one workgroup has invocations", 601, 10),
        ("as many classes as invocations", 5, 64),
        ("a team a row, primes", 13, 101),
        ("many classes", 33, 1000),
        ("too many rows for one workgroup", 2003, 11),
    ] {
        add(name, default, scaled([rows, classes], 1, 3.0), labels(rows, classes, 2));
        add(
            &format!("{name}, half of them ignored"),
            default,
            scaled([rows, classes], 3, 3.0),
            half_ignored(rows, classes),
        );
    }
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
    add("a class ignored", CrossEntropy { ignore_index: 2 }, scaled([7, 4], 6, 2.0), labels(7, 4, 6));
    add("ties", default, HostTensor::filled([4, 67], 1.0), given(&[0, 1, 66, 0]));
    cases
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
        inputs.push(HostTensor::filled(Shape::scalar(), rows as f32));
        inputs.push(HostTensor::filled(Shape::scalar(), 1.0));
        cases.push(Case::new(name, CrossEntropyGrad { forward: CrossEntropy::default() }, inputs));
    }
    cases
}
