//! Mean and deviations over samples, updated by one more sample.

use crate::harness::{Case, floats, numbers};
use wgrad::HostTensor;
use wgrad::ops::sample_moments::SampleMoments;

/// One more sample, of this weight and this share of all weights.
pub fn case(name: &str, shape: &[usize], weight: f32, share: f32) -> Case {
    let scalar = |number| HostTensor::filled([0; 0], number).expect("it is small");
    let deviations = numbers(shape, 3).to_f64().iter().map(|x| x.abs() as f32).collect();
    let deviations = floats(numbers(shape, 3).shape, deviations);
    let inputs = vec![numbers(shape, 1), scalar(weight), scalar(share), numbers(shape, 2), deviations];
    Case::new(name, SampleMoments, inputs)
}

pub fn cases() -> Vec<Case> {
    vec![
        case("the first sample", &[3, 10], 1.0, 1.0),
        case("the second, fours", &[4, 10], 1.0, 0.5),
        case("a late one", &[2, 3, 7], 1.0, 1.0 / 4097.0),
        case("past a workgroup", &[2, 600], 1.0, 1.0 / 3.0),
        case("a scalar", &[], 1.0, 0.2),
        case("a weighted one", &[5, 3], 0.03, 0.7),
    ]
}

/// The predictions of a batch.
pub fn large() -> Vec<Case> {
    vec![case("256x1000", &[256, 1000], 1.0, 1.0 / 3.0)]
}
