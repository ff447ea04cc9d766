//! Layer, group and instance norm, and their gradients.

use crate::harness::{Case, array, floats, numbers};
use wgrad::HostTensor;
use wgrad::op::Reference;
use wgrad::ops::row_norm::{RowNorm, RowNormGrad, RowNormGradParameters, Rows};

/// Every operator of the family on one input.
pub fn family(name: &str, x: HostTensor, norm: RowNorm) -> Vec<Case> {
    let of = match &norm.rows {
        Rows::Layer { normalized_shape } => normalized_shape.clone(),
        _ => [x.shape[1]].into(),
    };
    let mut inputs = vec![x.clone()];
    inputs.extend(norm.weight.then(|| numbers(of.clone(), 2)));
    inputs.extend(norm.bias.then(|| numbers(of, 3)));
    let arrays: Vec<_> = inputs.iter().map(array).collect();
    let exact = norm.reference(&arrays.iter().collect::<Vec<_>>()).remove(1);
    let statistics = floats(exact.shape, exact.data.iter().map(|&x| x as f32).collect());
    let backward = vec![x.clone(), numbers(x.shape, 5), statistics];
    let mut for_input = backward.clone();
    for_input.extend(norm.weight.then(|| inputs[1].clone()));
    let mut cases =
        vec![Case::new(name, norm.clone(), inputs), Case::new(name, RowNormGrad(norm.clone()), for_input)];
    if norm.weight || norm.bias {
        cases.push(Case::new(name, RowNormGradParameters(norm), backward));
    }
    cases
}

pub fn layer(normalized_shape: &[usize]) -> RowNorm {
    whole(Rows::Layer { normalized_shape: normalized_shape.into() })
}

pub fn group(groups: usize) -> RowNorm {
    whole(Rows::Group { groups })
}

pub fn instance() -> RowNorm {
    whole(Rows::Instance)
}

fn whole(rows: Rows) -> RowNorm {
    RowNorm { rows, eps: 1e-5, weight: true, bias: true }
}

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    let mut all = |name: &str, x: HostTensor, norm: RowNorm| cases.extend(family(name, x, norm));
    all("three terms", numbers([5, 3], 1), layer(&[3]));
    all("rows past a workgroup's teams of two", numbers([131, 32], 2), layer(&[32]));
    all("a prime of terms", numbers([3, 7, 67], 3), layer(&[67]));
    all("two dimensions, teams of 32", numbers([9, 20, 28], 4), layer(&[20, 28]));
    all("a whole workgroup a row, whole tensor", numbers([3, 349], 5), layer(&[3, 349]));
    all("rows in one part", numbers([3, 4096], 6), layer(&[4096]));
    all("rows in several parts, the last one short", numbers([2, 10_007], 7), layer(&[10_007]));
    all("rows too long for teams", numbers([2, 700_001], 22), layer(&[700_001]));
    all("weight alone", numbers([6, 20], 8), RowNorm { bias: false, ..layer(&[20]) });
    all("bias alone, another eps", numbers([6, 20], 9), RowNorm { weight: false, eps: 0.1, ..layer(&[20]) });
    all("neither", numbers([6, 20], 10), RowNorm { weight: false, bias: false, ..layer(&[20]) });
    all("groups of primes", numbers([3, 15, 7, 11], 11), group(3));
    all("fours that straddle channels", numbers([3, 8, 3, 5], 12), group(2));
    all("planes of fours", numbers([2, 12, 4, 6], 13), group(4));
    all("features", numbers([37, 24], 14), group(6));
    all("one group, in several parts", numbers([2, 12, 36, 40], 15), group(1));
    all("one group, bare", numbers([2, 5, 31, 33], 15), RowNorm { weight: false, bias: false, ..group(1) });
    all("instances", numbers([3, 5, 6, 10], 16), instance());
    all("instances of lines", numbers([2, 3, 17], 17), instance());
    all("instances in several parts", numbers([2, 3, 80, 72], 18), instance());
    let far = |shape: &[usize], seed: u64, by: f64| {
        let x = numbers(shape, seed);
        floats(x.shape.clone(), x.to_f64().iter().map(|x| (x + by) as f32).collect())
    };
    all("a mean far from zero", far(&[7, 96], 19, 3000.0), layer(&[96]));
    all("long rows, a mean far from zero", far(&[2, 6000], 20, -3000.0), layer(&[6000]));
    // What stands apart from the rest must not cost the others their digits.
    let mut outlier = numbers([4, 50], 21);
    if let wgrad::HostData::F32(data) = &mut outlier.data {
        data[0] = 300.0;
        data[149] = -300.0;
    }
    all("an outlier first and last", outlier, layer(&[50]));
    all("constant rows", HostTensor::filled([8, 24], 4.3).expect("it is small"), layer(&[24]));
    cases
}

/// A transformer's or ConvNeXt's rows, and a ResNet's groups and instances.
pub fn large() -> Vec<Case> {
    let images = || numbers([8, 64, 56, 56], 1);
    [
        family("4096x768", numbers([4096, 768], 1), layer(&[768])),
        family("8x64x56x56, 32 groups", images(), group(32)),
        family("8x64x56x56, one group", images(), group(1)),
        family("8x64x56x56", images(), RowNorm { weight: false, bias: false, ..instance() }),
    ]
    .into_iter()
    .flatten()
    .collect()
}
