//! Pooling of every kind and its gradients.

use crate::harness::{Case, floats, numbers};
use wgrad::HostTensor;
use wgrad::op::{Operator, Reference};
use wgrad::ops::pool2d::{
    Average, AvgPool2d, AvgPool2dGrad, LpPool2d, LpPool2dGrad, MaxPool2d, MaxPool2dGrad, MaxUnpool2d,
    MaxUnpool2dGrad, Norm, Pool2d, Unpool, Weighting, Windows,
};
use wgrad::{HostData, TensorType};

/// Max and average, forward and backward, the average with padding counted and not.
pub fn passes(name: &str, pool: Pool2d, input: [usize; 4]) -> Vec<Case> {
    let mut cases = max(name, pool.into(), input);
    for pool in [pool, pool.count_include_pad(false)] {
        cases.extend(average(name, pool.into(), Weighting::Equal, input));
    }
    cases
}

/// Max pooling and its gradient at taps that the forward reference found.
pub fn max(name: &str, windows: Windows, input: [usize; 4]) -> Vec<Case> {
    let x = crate::harness::array(&numbers(input, 5));
    let forward = MaxPool2d(windows);
    let found = forward.reference(&[&x]);
    let taps = HostTensor {
        shape: found[1].shape.clone(),
        data: HostData::I32(found[1].data.iter().map(|&word| word as i32).collect()),
    };
    let gradient = numbers(found[0].shape.clone(), 6);
    let backward = MaxPool2dGrad { windows, input: input.into() };
    vec![Case::new(name, forward, vec![numbers(input, 1)]), Case::new(name, backward, vec![gradient, taps])]
}

/// Max unpooling and its gradient, to an output of `size`, of taps that max pooling kept of `input`.
pub fn unpool(name: &str, pool: Pool2d, input: [usize; 4], size: [usize; 2]) -> Vec<Case> {
    let taps = max(name, pool.into(), input).remove(1).inputs.remove(1);
    let unpool = Unpool { pool, output_size: size };
    let pooled = output(&MaxPool2d(pool.into()), input).shape;
    let gradient = numbers([input[0], input[1], size[0], size[1]], 11);
    let backward = MaxUnpool2dGrad { unpool, input: pooled.clone() };
    vec![
        Case::new(name, MaxUnpool2d(unpool), vec![numbers(pooled, 10), taps.clone()]),
        Case::new(name, backward, vec![gradient, taps]),
    ]
}

/// An average and its gradient.
pub fn average(name: &str, windows: Windows, weighting: Weighting, input: [usize; 4]) -> Vec<Case> {
    let average = Average { windows, weighting };
    let forward = AvgPool2d(average);
    let gradient = numbers(output(&forward, input).shape, 3);
    let backward = AvgPool2dGrad { average, input: input.into() };
    vec![Case::new(name, forward, vec![numbers(input, 2)]), Case::new(name, backward, vec![gradient])]
}

/// A p-norm and its gradient at the reference's norms, over an input in which some windows are zero.
pub fn norm(name: &str, p: f32, pool: Pool2d, input: [usize; 4]) -> Vec<Case> {
    let norm = Norm { p, pool };
    let mut x = numbers(input, 8);
    if let HostData::F32(data) = &mut x.data {
        let zeros = data.len() / 4;
        data[..zeros].fill(0.0);
    }
    let forward = LpPool2d(norm);
    let y = forward.reference(&[&crate::harness::array(&x)]).remove(0);
    let y = floats(y.shape.clone(), y.data.iter().map(|&y| y as f32).collect());
    let gradient = numbers(y.shape.clone(), 9);
    vec![Case::new(name, forward, vec![x.clone()]), Case::new(name, LpPool2dGrad(norm), vec![gradient, x, y])]
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
        ("two by two of three columns", two, [4, 5, 2, 6]),
        ("two by two of five columns, over a workgroup", two, [4, 17, 10, 10]),
        ("two by two of nine columns", two, [2, 2, 6, 18]),
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
        cases.extend(max(name, pool.into(), input));
    }
    for (name, input) in [
        ("ties, even columns", [1, 8, 8, 8]),
        ("ties, odd columns", [1, 8, 6, 6]),
        ("ties, seven columns", [1, 4, 14, 14]),
    ] {
        cases.push(Case::new(name, MaxPool2d(two.into()), vec![ties(input)]));
    }
    cases.push(Case::new("ties in overlapping windows", MaxPool2d(three.into()), vec![ties([2, 3, 9, 10])]));
    let low = HostTensor::filled([1, 2, 5, 5], f32::NEG_INFINITY).expect("it is small");
    cases.push(Case::new("minus infinity everywhere", MaxPool2d(three.into()), vec![low]));
    for (name, input) in
        [("ties in whole images", [1, 7, 6, 6]), ("ties in whole large images", [1, 2, 17, 19])]
    {
        let whole = Pool2d::new([input[2], input[3]]);
        cases.push(Case::new(name, MaxPool2d(whole.into()), vec![ties(input)]));
    }
    cases.extend(types(three));
    cases.extend(long());
    cases
}

/// Windows and covers of an element that are too many for one invocation's loops.
fn long() -> Vec<Case> {
    let plane = [1, 1, 182, 183];
    let whole = Pool2d::new([182, 182]).stride([1, 1]);
    let padded = Pool2d::new([182, 183]).stride([2, 1]).padding([2, 1]);
    let counted = padded.count_include_pad(false);
    let mut cases = norm("a norm of 33,000 taps", 3.0, whole, plane);
    cases.extend(average("33,000 taps, padded", counted.into(), Weighting::Equal, plane));
    cases.extend(average("33,000 taps, padded", counted.into(), Weighting::Distance, plane));
    cases.extend(max("33,000 taps, padded", padded.into(), plane));
    cases.push(Case::new("ties among 33,000 taps", MaxPool2d(padded.into()), vec![ties(plane)]));
    let halves = Windows::Adaptive([2, 1]);
    cases.extend(max("adaptive to two windows of 33,000", halves, [1, 1, 365, 181]));
    cases.extend(average("adaptive to two windows of 33,000", halves, Weighting::Equal, [1, 1, 365, 181]));
    let many = Windows::Adaptive([182, 183]);
    cases.extend(average("adaptive to 33,000 windows", many, Weighting::Equal, [1, 1, 1, 1]));
    cases.extend(max("adaptive to 33,000 windows", many, [1, 1, 1, 1]));
    // Every window over an element, one for each of its taps, and all that there are.
    let dilated = Pool2d::new([2, 3]).stride([1, 1]).dilation([200, 90]);
    cases.extend(max("few taps, far apart", dilated.into(), [1, 1, 210, 190]));
    let every = Pool2d::new([190, 190]).stride([1, 1]);
    cases.extend(unpool("36,000 windows over an element", every, [1, 1, 200, 195], [200, 195]));
    let steps = Pool2d::new([200, 200]).stride([1, 1]).padding([99, 99]);
    cases.extend(average("every window is over an element", steps.into(), Weighting::Equal, [1, 1, 5, 3]));
    cases
}

/// Kinds of pooling besides max and plain average, `three` among their windows.
fn types(three: Pool2d) -> Vec<Case> {
    let mut cases = Vec::new();
    let wide = Pool2d::new([4, 3]).stride([3, 1]).padding([1, 1]).ceil_mode(true);
    let plain = |pool: Pool2d| pool.padding([0, 0]);
    cases.extend(average(
        "a divisor of its own",
        three.divisor_override(7).into(),
        Weighting::Equal,
        [1, 3, 8, 5],
    ));
    let whole = Pool2d::new([4, 4]).divisor_override(3);
    cases.extend(average("the whole image by a divisor", whole.into(), Weighting::Equal, [1, 3, 4, 4]));
    for (name, pool, input) in [
        ("weights of a single tap", Pool2d::new([1, 1]).stride([2, 1]), [1, 1, 3, 2]),
        ("weights of an even kernel inside", Pool2d::new([2, 4]), [2, 3, 4, 9]),
        ("weights, overlap and padding", three, [2, 3, 13, 11]),
        ("weights past the edge, padding counted", wide, [1, 2, 11, 7]),
        ("weights past the edge, padding not counted", wide.count_include_pad(false), [1, 2, 11, 7]),
    ] {
        cases.extend(average(name, pool.into(), Weighting::Distance, input));
    }
    for (name, p, pool, input) in [
        ("p of 1, which keeps signs", 1.0, Pool2d::new([2, 2]), [1, 3, 5, 6]),
        ("p of 2, overlap", 2.0, plain(three), [2, 3, 9, 11]),
        ("p of 3, negative sums, windows past the edge", 3.0, plain(wide), [2, 3, 12, 7]),
        (
            "p of 2, stride over kernel, past the edge",
            2.0,
            Pool2d::new([3, 2]).stride([4, 5]).ceil_mode(true),
            [1, 2, 6, 8],
        ),
        ("p that is not whole", 2.5, plain(three), [1, 3, 8, 9]),
        ("p below one", 0.5, plain(wide), [1, 2, 9, 6]),
        ("an odd p that is not multiplied out", 11.0, plain(three), [1, 1, 7, 7]),
    ] {
        cases.extend(norm(name, p, pool, input));
    }
    for (name, pool, input, size) in [
        ("unpooling side by side", Pool2d::new([2, 3]), [2, 3, 7, 9], [7, 9]),
        ("unpooling to a larger and a smaller size", Pool2d::new([2, 2]), [1, 3, 7, 6], [6, 7]),
        ("unpooling windows that overlap", three, [2, 2, 9, 10], [9, 10]),
        (
            "unpooling windows of over 256 taps",
            Pool2d::new([17, 19]).stride([3, 2]).padding([8, 9]),
            [1, 1, 20, 21],
            [20, 21],
        ),
        ("unpooling dilated windows", three.dilation([2, 3]).ceil_mode(true), [1, 2, 8, 13], [8, 13]),
    ] {
        cases.extend(unpool(name, pool, input, size));
    }
    for (name, output, input) in [
        ("three by five of primes", [3, 5], [2, 3, 7, 11]),
        ("more windows than elements", [9, 4], [1, 2, 5, 3]),
        ("windows that share both ends", [7, 6], [1, 5, 11, 13]),
        ("one row of windows over 256 taps", [1, 2], [1, 3, 19, 39]),
    ] {
        let windows = Windows::Adaptive(output);
        cases.extend(max(name, windows, input));
        cases.extend(average(name, windows, Weighting::Equal, input));
    }
    cases
}

fn output(forward: &impl Operator, input: [usize; 4]) -> TensorType {
    let types = forward.infer(&[&TensorType::f32(input)]);
    types.unwrap_or_else(|e| panic!("{e}")).remove(0)
}

/// Numbers of which most windows have several largest.
fn ties(shape: [usize; 4]) -> HostTensor {
    let tensor = numbers(shape, 7);
    let data = tensor.to_f64().iter().map(|x| (2.0 * x).round() as f32).collect();
    floats(shape, data)
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
        cases.extend(max(name, pool.into(), input));
        cases.extend(average(name, pool.into(), Weighting::Equal, input));
    }
    cases.extend(average("2x64x112x112, 3x3 stride 2", stem.into(), Weighting::Distance, [2, 64, 112, 112]));
    let inside = stem.padding([0, 0]);
    cases.extend(norm("2x64x112x112, 3x3 stride 2, p of 2", 2.0, inside, [2, 64, 112, 112]));
    cases.extend(unpool("64x32x14x14, 2x2", halves, [64, 32, 14, 14], [14, 14]));
    let uneven = Windows::Adaptive([7, 7]);
    cases.extend(max("8x256x15x15 to 7x7", uneven, [8, 256, 15, 15]));
    cases.extend(average("8x256x15x15 to 7x7", uneven, Weighting::Equal, [8, 256, 15, 15]));
    cases
}
