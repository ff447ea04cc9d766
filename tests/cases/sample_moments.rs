//! Mean and deviations over samples, updated by one more sample.

use crate::harness::{Case, floats, numbers};
use wgrad::HostTensor;
use wgrad::ops::sample_moments::SampleMoments;

/// One more sample, of this number.
pub fn case(name: &str, shape: &[usize], sample: f32) -> Case {
    let number = HostTensor::filled([0; 0], sample).expect("it is small");
    let deviations = numbers(shape, 3).to_f64().iter().map(|x| x.abs() as f32).collect();
    let deviations = floats(numbers(shape, 3).shape, deviations);
    Case::new(name, SampleMoments, vec![numbers(shape, 1), number, numbers(shape, 2), deviations])
}

pub fn cases() -> Vec<Case> {
    vec![
        case("the first sample", &[3, 10], 1.0),
        case("the second, fours", &[4, 10], 2.0),
        case("a late one", &[2, 3, 7], 4097.0),
        case("past a workgroup", &[2, 600], 3.0),
        case("a scalar", &[], 5.0),
    ]
}

/// The predictions of a batch.
pub fn large() -> Vec<Case> {
    vec![case("256x1000", &[256, 1000], 3.0)]
}
