//! Batch normalisation in training and evaluation, and both gradients.

use crate::harness::{Case, array, numbers};
use wgrad::HostTensor;
use wgrad::ops::Operator;
use wgrad::ops::batch_norm::{BatchNorm, BatchNormEval, BatchNormEvalGrad, BatchNormGrad, BatchNormTrain};

/// Every operator of the family on one input.
pub fn family(name: &str, x: HostTensor, attributes: BatchNorm) -> Vec<Case> {
    let channels = x.shape[1];
    let [weight, bias, mean, gradient] =
        [numbers([channels], 2), numbers([channels], 3), numbers([channels], 4), numbers(x.shape.clone(), 5)];
    let var = shifted(&numbers([channels], 6), 1.5);
    let inputs = vec![x.clone(), weight.clone(), bias, mean.clone(), var.clone()];
    let train = BatchNormTrain(attributes);
    let statistics = statistics(&train, &inputs);
    let backward = vec![x.clone(), gradient.clone(), weight.clone(), statistics];
    vec![
        Case::new(name, train, inputs.clone()),
        Case::new(name, BatchNormEval(attributes), inputs),
        Case::new(name, BatchNormGrad, backward),
        Case::new(name, BatchNormEvalGrad(attributes), vec![x, gradient, weight, mean, var]),
    ]
}

/// The seed network's and a ResNet's, forward and backward.
pub fn large() -> Vec<Case> {
    [("64x8x28x28", [64, 8, 28, 28]), ("64x32x14x14", [64, 32, 14, 14]), ("8x64x56x56", [8, 64, 56, 56])]
        .into_iter()
        .flat_map(|(name, shape)| family(name, numbers(shape, 1), BatchNorm::default()))
        .collect()
}

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    let mut all =
        |name: &str, x: HostTensor, attributes: BatchNorm| cases.extend(family(name, x, attributes));
    let plain = BatchNorm::default();
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
    ] {
        all(name, numbers(shape, 1), plain);
    }
    // Two values are normalised to -1 and 1 whatever they are: only eps leaves a gradient, and with a
    // small one that is what cancellation leaves of f32.
    let soft = BatchNorm { eps: 0.5, ..plain };
    all("two values of one channel", numbers([2, 1], 10), soft);
    all("two values in one plane", numbers([1, 3, 1, 2], 11), soft);
    all("other attributes", numbers([6, 5, 4, 3], 7), BatchNorm { eps: 0.1, momentum: 0.7 });
    all("statistics replaced", numbers([6, 5], 8), BatchNorm { momentum: 1.0, ..plain });
    all("a mean far from zero", shifted(&numbers([16, 3, 9, 9], 9), 3000.0), plain);
    all("a constant channel", HostTensor::filled([8, 2, 3, 3], 4.5), plain);
    cases
}

fn shifted(tensor: &HostTensor, by: f64) -> HostTensor {
    HostTensor::f32(tensor.shape.clone(), tensor.to_f64().iter().map(|x| (x + by) as f32).collect())
}

/// What the forward reference hands to the backward.
fn statistics(train: &BatchNormTrain, inputs: &[HostTensor]) -> HostTensor {
    let inputs: Vec<_> = inputs.iter().map(array).collect();
    let exact = train.reference(&inputs.iter().collect::<Vec<_>>()).remove(1);
    HostTensor::f32(exact.shape, exact.data.iter().map(|&x| x as f32).collect())
}
