//! Batch normalisation in training and evaluation, and both gradients.

use crate::harness::{Case, array, edges, floats, numbers};
use wgrad::op::Reference;
use wgrad::ops::batch_norm::{
    BatchCount, BatchNorm, BatchNormEval, BatchNormEvalGrad, BatchNormEvalGradInput, BatchNormGrad,
    BatchNormMaxPool, BatchNormMaxPoolGrad, BatchNormTrain,
};
use wgrad::ops::unary::Unary;
use wgrad::{HostData, HostTensor};

/// Every operator of the family on one input.
pub fn family(name: &str, x: HostTensor, attributes: BatchNorm) -> Vec<Case> {
    let channels = x.shape[1];
    let [weight, bias, mean, gradient] =
        [numbers([channels], 2), numbers([channels], 3), numbers([channels], 4), numbers(x.shape.clone(), 5)];
    let var = shifted(&numbers([channels], 6), 1.5);
    let inputs = vec![x.clone(), weight.clone(), bias, mean.clone(), var.clone()];
    let train = BatchNormTrain::from(attributes);
    let statistics = statistics(&train, &inputs);
    let backward = vec![x.clone(), gradient.clone(), statistics];
    vec![
        Case::new(name, train, inputs.clone()),
        Case::new(name, BatchNormEval::from(attributes), inputs),
        Case::new(name, BatchNormGrad::default(), backward.clone()),
        Case::new(format!("{name}, with a bias before"), BatchNormGrad { source_bias: true }, backward),
        Case::new(name, BatchNormEvalGrad(attributes), vec![x, gradient, weight, mean, var]),
    ]
}

/// The operators without weight and bias, without running statistics, and with plain averages of them.
pub fn partial(name: &str, x: HostTensor) -> Vec<Case> {
    let channels = x.shape[1];
    let [weight, bias, mean] = [2, 3, 4].map(|seed| numbers([channels], seed));
    let var = shifted(&numbers([channels], 6), 1.5);
    let (affine, running) = (vec![weight.clone(), bias], vec![mean, var.clone()]);
    let with = |parts: &[&[HostTensor]]| {
        [std::slice::from_ref(&x)].iter().chain(parts).flat_map(|part| part.to_vec()).collect::<Vec<_>>()
    };
    let norm = BatchNorm::default();
    let averaged = BatchNorm { momentum: None, ..norm };
    let gradient = numbers(x.shape.clone(), 5);
    let count = vec![HostTensor::filled([0; 0], 7.0).expect("it is small")];
    let average = BatchNormTrain::from(averaged);
    let each = |affine| BatchNormEvalGradInput { norm, affine };
    vec![
        Case::new(name, BatchNormTrain { norm, affine: false, tracked: true }, with(&[&running])),
        Case::new(name, BatchNormTrain { norm, affine: true, tracked: false }, with(&[&affine])),
        Case::new(name, BatchNormTrain { norm, affine: false, tracked: false }, with(&[])),
        Case::new(format!("{name}, averages"), average, with(&[&affine, &running, &count])),
        Case::new(name, BatchNormEval { norm, affine: false }, with(&[&running])),
        Case::new(name, each(true), vec![gradient.clone(), weight, var.clone()]),
        Case::new(name, each(false), vec![gradient, var]),
    ]
}

/// What is fused with max pooling, on one input of even height and width.
pub fn pooled(name: &str, x: HostTensor, activation: Option<Unary>) -> Vec<Case> {
    let channels = x.shape[1];
    let [weight, bias, mean] = [2, 3, 4].map(|seed| numbers([channels], seed));
    let var = shifted(&numbers([channels], 6), 1.5);
    let inputs = vec![x.clone(), weight, bias, mean, var];
    let forward = BatchNormMaxPool { norm: BatchNorm::default().into(), activation };
    let arrays: Vec<_> = inputs.iter().map(array).collect();
    let outputs = forward.reference(&arrays.iter().collect::<Vec<_>>());
    let rounded = |i: usize| {
        let data = outputs[i].data.iter().map(|&x| x as f32).collect();
        floats(outputs[i].shape.clone(), data)
    };
    let taps = outputs[4].data.iter().map(|&word| word as i32).collect();
    // Labels are the harness's whole numbers, of one dimension.
    let taps = HostTensor { shape: outputs[4].shape.clone(), data: HostData::I32(taps) };
    let gradient = numbers(outputs[0].shape.clone(), 5);
    let backward = vec![x, gradient, rounded(1), taps];
    let with_bias = BatchNormMaxPoolGrad(BatchNormGrad { source_bias: true });
    vec![
        Case::new(name, forward, inputs),
        Case::new(name, BatchNormMaxPoolGrad::default(), backward.clone()),
        Case::new(format!("{name}, with a bias before"), with_bias, backward),
    ]
}

/// The seed network's and a ResNet's, forward and backward.
pub fn large() -> Vec<Case> {
    [("64x8x28x28", [64, 8, 28, 28]), ("64x32x14x14", [64, 32, 14, 14]), ("8x64x56x56", [8, 64, 56, 56])]
        .into_iter()
        .flat_map(|(name, shape)| {
            let mut cases = family(name, numbers(shape, 1), BatchNorm::default());
            cases.retain(|case| !case.name.ends_with("with a bias before"));
            cases
        })
        .collect()
}

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    let plain = BatchNorm::default();
    let by_edges = |case: Case| case.by_edges(edges::SHOWN);
    for (name, shape) in [
        ("three values of one channel", vec![3, 1]),
        ("four values in one plane", vec![1, 3, 1, 4]),
        ("features, primes", vec![37, 19]),
        ("features, sixteen side by side", vec![130, 48]),
        ("features, many rows of one", vec![4099, 1]),
        ("planes of a prime", vec![5, 3, 7, 11]),
        ("planes of one element", vec![67, 5, 1, 1]),
        ("planes of one pack", vec![9, 6, 2, 2]),
        ("the seed network's second, a part of the batch", vec![4, 32, 14, 14]),
        ("one channel in several parts", vec![3, 1, 60, 60]),
        ("channels in several parts, the last one short", vec![7, 2, 29, 31]),
        ("lines", vec![6, 4, 53]),
        ("a channel too long for a workgroup", vec![1, 1, 2_100_001]),
        ("features, too many rows for a workgroup", vec![131_100, 9]),
    ] {
        cases.extend(family(name, numbers(shape, 1), plain).into_iter().map(by_edges));
    }
    // What the numbers are, and attributes, no text shows.
    let mut all =
        |name: &str, x: HostTensor, attributes: BatchNorm| cases.extend(family(name, x, attributes));
    // Two values are normalised to -1 and 1 whatever they are: only eps leaves a gradient, and with a
    // small one that is what cancellation leaves of f32.
    let soft = BatchNorm { eps: 0.5, ..plain };
    all("two values of one channel", numbers([2, 1], 10), soft);
    all("two values in one plane", numbers([1, 3, 1, 2], 11), soft);
    all("other attributes", numbers([6, 5, 4, 3], 7), BatchNorm { eps: 0.1, momentum: Some(0.7) });
    all("statistics replaced", numbers([6, 5], 8), BatchNorm { momentum: Some(1.0), ..plain });
    all("a mean far from zero", shifted(&numbers([16, 3, 9, 9], 9), 3000.0), plain);
    all("a constant channel", HostTensor::filled([8, 2, 3, 3], 4.5).expect("it is small"), plain);
    cases.extend(partial("features, primes", numbers([37, 19], 13)).into_iter().map(by_edges));
    cases.extend(partial("channels in several parts", numbers([7, 3, 28, 28], 14)).into_iter().map(by_edges));
    cases.push(Case::new(
        "the eighth batch",
        BatchCount,
        vec![HostTensor::filled([0; 0], 7.0).expect("it is small")],
    ));
    let relu = Some(Unary::Relu);
    for (name, shape, activation) in [
        ("one window", [2, 1, 2, 2], None),
        ("windows that fill no word", [3, 5, 6, 10], relu),
        ("rows that fours straddle", [4, 32, 14, 14], relu),
        ("channels in several parts", [7, 3, 28, 28], Some(Unary::Tanh)),
        ("windows side by side", [2, 3, 2, 34], None),
    ] {
        let pooled = pooled(&format!("pooled: {name}"), numbers(shape, 12), activation);
        cases.extend(pooled.into_iter().map(by_edges));
    }
    let bare = BatchNormTrain { norm: BatchNorm::default(), affine: false, tracked: false };
    let x = vec![numbers([3, 2, 6, 4], 12)];
    cases.push(Case::new("pooled, bare", BatchNormMaxPool { norm: bare, activation: relu }, x));
    // All the values of a window alike: the first wins.
    cases.extend(pooled("pooled: ties", HostTensor::filled([3, 2, 4, 4], 0.5).expect("it is small"), relu));
    cases
}

fn shifted(tensor: &HostTensor, by: f64) -> HostTensor {
    floats(tensor.shape.clone(), tensor.to_f64().iter().map(|x| (x + by) as f32).collect())
}

/// What the forward reference hands to the backward.
fn statistics(train: &BatchNormTrain, inputs: &[HostTensor]) -> HostTensor {
    let inputs: Vec<_> = inputs.iter().map(array).collect();
    let exact = train.reference(&inputs.iter().collect::<Vec<_>>()).remove(1);
    floats(exact.shape, exact.data.iter().map(|&x| x as f32).collect())
}
