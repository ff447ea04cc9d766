//! Max and average pooling and their gradients.

use crate::harness::{Case, numbers};
use wgrad::HostTensor;
use wgrad::ops::Operator;
use wgrad::ops::pool2d::{AvgPool2d, AvgPool2dGrad, MaxPool2d, MaxPool2dGrad, Pool2d};
use wgrad::{HostData, TensorType};

/// Both operators, forward and backward, the average with padding counted and not.
pub fn passes(name: &str, pool: Pool2d, input: [usize; 4]) -> Vec<Case> {
    let mut cases =
        vec![Case::new(name, MaxPool2d(pool), vec![numbers(input, 1)]), max_grad(name, pool, input)];
    for pool in [pool, pool.count_include_pad(false)] {
        let forward = AvgPool2d(pool);
        let gradient = numbers(output(&forward, input).shape, 3);
        let backward = AvgPool2dGrad { pool, input: input.into() };
        cases.push(Case::new(name, forward, vec![numbers(input, 2)]));
        cases.push(Case::new(name, backward, vec![gradient]));
    }
    cases
}

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    let two = Pool2d::new([2, 2]);
    let three = Pool2d::new([3, 3]).stride([2, 2]).padding([1, 1]);
    for (name, pool, input) in [
        ("one element", Pool2d::new([1, 1]), [1, 1, 1, 1]),
        ("the seed network's first", two, [2, 8, 28, 28]),
        ("the seed network's second, odd output columns", two, [4, 32, 14, 14]),
        ("two by two of one output", two, [4, 4, 2, 2]),
        ("two by two, outputs no multiple of four", two, [1, 3, 2, 2]),
        ("two by two of an odd width", two, [2, 4, 4, 7]),
        ("two by two of an odd height, kept by ceil mode", two.ceil_mode(true), [2, 4, 7, 4]),
        ("two by two over a prime of workgroups", two, [1, 67, 4, 16]),
        ("primes that no window divides", Pool2d::new([3, 5]), [2, 3, 17, 23]),
        ("overlap and padding", three, [2, 3, 13, 11]),
        ("overlap and padding, last window past the edge", three.ceil_mode(true), [3, 1, 14, 12]),
        ("stride over the kernel", Pool2d::new([2, 3]).stride([5, 4]), [2, 3, 19, 17]),
        (
            "stride over kernel and padded input",
            Pool2d::new([3, 3]).stride([50, 50]).padding([1, 1]),
            [1, 2, 7, 5],
        ),
        ("every window", Pool2d::new([3, 3]).stride([1, 1]).padding([1, 1]), [2, 2, 9, 10]),
        ("the whole image", Pool2d::new([7, 7]), [5, 13, 7, 7]),
        (
            "the whole image, a multiple of four, any stride",
            Pool2d::new([6, 4]).stride([3, 9]),
            [3, 23, 6, 4],
        ),
        ("the whole of two large images", Pool2d::new([39, 40]), [1, 2, 39, 40]),
        ("a window of over 256 taps", Pool2d::new([17, 19]).stride([3, 2]).padding([8, 9]), [2, 1, 29, 31]),
        (
            "ceil mode drops a window in the padding",
            Pool2d::new([2, 2]).padding([1, 1]).ceil_mode(true),
            [1, 2, 5, 4],
        ),
        (
            "ceil mode with a kernel over the input",
            Pool2d::new([3, 3]).stride([2, 2]).ceil_mode(true),
            [1, 5, 2, 2],
        ),
        ("lines", Pool2d::new([1, 4]).stride([1, 3]).padding([0, 2]), [2, 3, 1, 31]),
    ] {
        cases.extend(passes(name, pool, input));
    }
    for (name, pool, input) in [
        ("dilation", Pool2d::new([3, 2]).stride([2, 1]).padding([1, 1]).dilation([2, 3]), [2, 3, 11, 9]),
        ("dilation over the stride, ceil mode", three.dilation([3, 5]).ceil_mode(true), [1, 2, 12, 17]),
    ] {
        cases.push(Case::new(name, MaxPool2d(pool), vec![numbers(input, 4)]));
        cases.push(max_grad(name, pool, input));
    }
    for (name, input) in [("ties, even columns", [1, 8, 8, 8]), ("ties, odd columns", [1, 8, 6, 6])] {
        cases.push(Case::new(name, MaxPool2d(two), vec![ties(input)]));
    }
    cases.push(Case::new("ties in overlapping windows", MaxPool2d(three), vec![ties([2, 3, 9, 10])]));
    let low = HostTensor::filled([1, 2, 5, 5], f32::NEG_INFINITY);
    cases.push(Case::new("minus infinity everywhere", MaxPool2d(three), vec![low]));
    cases
}

/// The gradient at taps that the forward reference found.
fn max_grad(name: &str, pool: Pool2d, input: [usize; 4]) -> Case {
    let x = crate::harness::array(&numbers(input, 5));
    let forward = MaxPool2d(pool);
    let found = forward.reference(&[&x]);
    let taps = HostTensor {
        shape: found[1].shape.clone(),
        data: HostData::I32(found[1].data.iter().map(|&word| word as i32).collect()),
    };
    let gradient = numbers(found[0].shape.clone(), 6);
    Case::new(name, MaxPool2dGrad { pool, input: input.into() }, vec![gradient, taps])
}

fn output(forward: &impl Operator, input: [usize; 4]) -> TensorType {
    let types = forward.infer(&[&TensorType::f32(input)]);
    types.unwrap_or_else(|e| panic!("{e}")).remove(0)
}

/// Numbers of which most windows have several largest.
fn ties(shape: [usize; 4]) -> HostTensor {
    let tensor = numbers(shape, 7);
    let data = tensor.to_f64().iter().map(|x| (2.0 * x).round() as f32).collect();
    HostTensor::f32(shape, data)
}

/// The seed network's poolings and a ResNet stem's, forward and backward.
pub fn large() -> Vec<Case> {
    let halves = Pool2d::new([2, 2]);
    let stem = Pool2d::new([3, 3]).stride([2, 2]).padding([1, 1]);
    let mut cases = Vec::new();
    for (name, pool, input) in [
        ("64x8x28x28, 2x2", halves, [64, 8, 28, 28]),
        ("64x32x14x14, 2x2", halves, [64, 32, 14, 14]),
        ("2x64x112x112, 3x3 stride 2", stem, [2, 64, 112, 112]),
        ("32x512x7x7, global", Pool2d::new([7, 7]), [32, 512, 7, 7]),
        ("8x64x56x56, global", Pool2d::new([56, 56]), [8, 64, 56, 56]),
    ] {
        cases.push(Case::new(name, MaxPool2d(pool), vec![numbers(input, 1)]));
        cases.push(max_grad(name, pool, input));
        cases.push(Case::new(name, AvgPool2d(pool), vec![numbers(input, 1)]));
        let gradient = numbers(output(&AvgPool2d(pool), input).shape, 2);
        cases.push(Case::new(name, AvgPool2dGrad { pool, input: input.into() }, vec![gradient]));
    }
    cases
}
