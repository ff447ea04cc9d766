//! Rows by index, and their gradient.

use crate::harness::{Case, labels, numbers};
use wgrad::HostTensor;
use wgrad::ops::embedding::{Embedding, EmbeddingGrad};

/// Both passes, with indices of this shape.
pub fn passes(name: &str, rows: usize, features: usize, shape: &[usize], forward: Embedding) -> Vec<Case> {
    let count = shape.iter().product();
    let indices = HostTensor { shape: shape.into(), ..labels(count, rows, 4) };
    let dy = numbers([shape, &[features]].concat(), 2);
    let gradient = EmbeddingGrad { forward, rows };
    vec![
        Case::new(name, forward, vec![numbers([rows, features], 1), indices.clone()]),
        Case::new(name, gradient, vec![indices, dy]),
    ]
}

pub fn cases() -> Vec<Case> {
    let plain = Embedding::default();
    let padded = Embedding { padding: Some(1) };
    [
        passes("one index, one feature", 1, 1, &[], plain),
        passes("a batch of sentences in fours, padding", 11, 12, &[5, 17], padded),
        passes("more rows than indices", 131, 3, &[2, 3, 4], plain),
        passes("few rows, long lists", 3, 7, &[613], plain),
        passes("more positions than one invocation looks at, padding", 5, 4, &[33_000], padded),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// A vocabulary.
pub fn large() -> Vec<Case> {
    passes("10000x128, 32x64 indices", 10_000, 128, &[32, 64], Embedding { padding: Some(0) })
}
