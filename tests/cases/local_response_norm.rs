//! Local response normalisation and its gradient.

use crate::harness::{Case, array, floats, numbers, scaled};
use wgrad::HostTensor;
use wgrad::op::Reference;
use wgrad::ops::local_response_norm::{LocalResponseNorm, LocalResponseNormGrad};

/// A case each way.
pub fn pair(name: &str, x: HostTensor, attributes: LocalResponseNorm) -> [Case; 2] {
    let scales = attributes.reference(&[&array(&x)]).swap_remove(1);
    let scales = floats(scales.shape, scales.data.iter().map(|&x| x as f32).collect());
    let backward = vec![x.clone(), numbers(x.shape.clone(), 2), scales];
    [Case::new(name, attributes, vec![x]), Case::new(name, LocalResponseNormGrad(attributes), backward)]
}

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    // As strong as makes neighbours matter; the defaults hardly do.
    let strong = |size| LocalResponseNorm { alpha: 2.0, ..LocalResponseNorm::new(size) };
    let mut all = |name: &str, x: HostTensor, attributes| cases.extend(pair(name, x, attributes));
    all("defaults", numbers([2, 7, 4, 6], 1), LocalResponseNorm::new(5));
    all("odd windows", numbers([2, 7, 4, 6], 3), strong(5));
    all("even windows, planes of a prime", numbers([3, 6, 13], 4), strong(4));
    all("windows of one", numbers([2, 3, 5, 5], 5), strong(1));
    all("windows of two", numbers([2, 3, 2, 2], 6), strong(2));
    all("windows past all channels", numbers([2, 3, 3, 3], 7), strong(9));
    all("one channel", numbers([3, 1, 5], 8), strong(3));
    all("the widest window there is", numbers([1, 2, 3], 8), strong(usize::MAX));
    let other = LocalResponseNorm { size: 3, alpha: 0.7, beta: 1.5, k: 2.0 };
    all("other attributes, past a workgroup", numbers([1, 5, 11, 23], 9), other);
    all("windows too wide for one invocation", numbers([2, 10_100, 3], 11), strong(9_992));
    all("windows too wide for one invocation, in fours", numbers([1, 9_000, 2, 2], 12), strong(usize::MAX));
    all("large values", scaled([2, 6, 4, 4], 10, 1e3), strong(5));
    cases
}

/// AlexNet's, after its first and second convolutions.
pub fn large() -> Vec<Case> {
    let attributes = LocalResponseNorm { k: 2.0, ..LocalResponseNorm::new(5) };
    [[32, 96, 55, 55], [32, 256, 27, 27]]
        .into_iter()
        .flat_map(|shape| pair(&format!("{shape:?}"), numbers(shape, 1), attributes))
        .collect()
}
