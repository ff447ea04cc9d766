//! Softmax, its logarithm, and their gradients.

use crate::harness::{Case, floats, numbers, scaled};
use wgrad::HostTensor;
use wgrad::op::Reference;
use wgrad::ops::softmax::{Softmax, SoftmaxGrad};

/// A case each way.
pub fn pair(name: &str, log: bool, shape: &[usize], axis: usize) -> [Case; 2] {
    let forward = Softmax { axis, log };
    let x = scaled(shape, 1, 3.0);
    let y = forward_output(forward, &x);
    [Case::new(name, forward, vec![x]), Case::new(name, SoftmaxGrad { forward }, vec![y, numbers(shape, 2)])]
}

fn forward_output(forward: Softmax, x: &HostTensor) -> HostTensor {
    let y = forward.reference(&[&crate::harness::array(x)]).remove(0);
    floats(y.shape, y.data.iter().map(|&y| y as f32).collect())
}

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for log in [false, true] {
        let mut add = |name: &str, shape: &[usize], axis: usize| cases.extend(pair(name, log, shape, axis));
        add("one term", &[3, 1], 1);
        add("one row", &[7], 0);
        add("digits, rows past a workgroup", &[131, 10], 1);
        add("the most terms of one invocation", &[5, 32], 1);
        add("the fewest terms of a team", &[5, 33], 1);
        add("a prime of terms, a team a row", &[3, 307], 1);
        add("the first axis", &[11, 13], 0);
        add("the first axis, a team a row", &[67, 5], 0);
        add("channels of images", &[2, 21, 5, 3], 1);
        add("a team a row among inner ones", &[2, 70, 3, 3], 1);
        add("many rows side by side", &[2, 37, 32, 33], 1);
        add("a row too long for a team", &[1_050_001], 0);
        add("rows too long for teams, side by side", &[1_050_000, 2], 0);
        let extreme = vec![1e4, -1e4, 9999.0, 0.0, -1e30, -1e30, -1e30, -1e30];
        let x = floats([2, 4], extreme);
        cases.push(Case::new("extremes", Softmax { axis: 1, log }, vec![x]));
    }
    cases
}

/// A thousand classes, and the channels of a segmentation.
pub fn large() -> Vec<Case> {
    let classes = |log| pair("256x1000", log, &[256, 1000], 1);
    let channels = pair("8x21x64x64, channels", false, &[8, 21, 64, 64], 1);
    [classes(false), classes(true), channels].into_iter().flatten().collect()
}
