//! What metrics are made of: labels as rows, labels among the likeliest classes, sums over steps; and means over
//! micro-batches.

use crate::harness::{Case, floats, labels, numbers};
use wgrad::ops::in_top_k::InTopK;
use wgrad::ops::micro_batch_mean::MicroBatchMean;
use wgrad::ops::one_hot::OneHot;
use wgrad::ops::running_sum::RunningSum;
use wgrad::{HostData, HostTensor};

/// Labels of any shape as rows, every fifth label ignored.
pub fn one_hot(name: &str, shape: &[usize], classes: usize) -> Case {
    Case::new(name, OneHot { classes }, vec![some_ignored(shape, classes)])
}

/// Rows of numbers of which many are equal, every fifth label ignored.
pub fn in_top_k(name: &str, rows: usize, classes: usize, k: usize) -> Case {
    let logits = numbers([rows, classes], 1).to_f64().iter().map(|x| (4.0 * x).round() as f32).collect();
    Case::new(name, InTopK { k }, vec![floats([rows, classes], logits), some_ignored(&[rows], classes)])
}

/// One more term of a sum.
pub fn running_sum(name: &str, shape: &[usize]) -> Case {
    Case::new(name, RunningSum { once: false }, vec![numbers(shape, 1), numbers(shape, 2)])
}

/// A copy, where there is one micro-batch.
pub fn micro_batch_mean(name: &str, shape: &[usize]) -> Case {
    Case::new(name, MicroBatchMean { micro_batches: 8 }, vec![numbers(shape, 1)])
}

fn some_ignored(shape: &[usize], classes: usize) -> HostTensor {
    let HostData::I32(mut all) = labels(shape.iter().product(), classes, 3).data else {
        panic!("labels are i32");
    };
    all.iter_mut().skip(2).step_by(5).for_each(|label| *label = -100);
    HostTensor::i32(shape, all).expect("there is one for each position")
}

pub fn cases() -> Vec<Case> {
    vec![
        one_hot("one class", &[7], 1),
        one_hot("digits", &[131], 10),
        one_hot("pixels", &[2, 5, 3], 21),
        one_hot("a scalar", &[], 5),
        in_top_k("one class", 3, 1, 1),
        in_top_k("the likeliest", 131, 10, 1),
        in_top_k("three of ten, ties", 131, 10, 3),
        in_top_k("five of a prime number", 17, 307, 5),
        in_top_k("more than there are", 5, 4, 9),
        in_top_k("a row past a workgroup", 3, 1000, 5),
        running_sum("fours", &[4, 10]),
        running_sum("no fours", &[3, 7]),
        running_sum("past a workgroup", &[2, 600]),
        running_sum("a scalar", &[]),
        micro_batch_mean("fours", &[1, 64, 1, 1]),
        micro_batch_mean("no fours", &[1, 7, 1, 1]),
        micro_batch_mean("a scalar", &[]),
    ]
}

/// A thousand classes, and the classes of pixels.
pub fn large() -> Vec<Case> {
    vec![
        one_hot("8x64x64, 21 classes", &[8, 64, 64], 21),
        in_top_k("256x1000, 5", 256, 1000, 5),
        running_sum("1000x1000", &[1000, 1000]),
        micro_batch_mean("1000x1000", &[1000, 1000]),
    ]
}
