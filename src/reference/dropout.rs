//! Dropout, its mask, and the generator behind it.

use super::Array;
use crate::ops::dropout::{Dropout, Unit};
use crate::tensor::Shape;

/// Four words of Philox4x32-10 (Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as
/// 1, 2, 3", 2011) for a counter and a key.
pub fn philox4x32(mut counter: [u32; 4], mut key: [u32; 2]) -> [u32; 4] {
    for _ in 0..10 {
        let first = 0xD251_1F53_u64 * u64::from(counter[0]);
        let second = 0xCD9E_8D57_u64 * u64::from(counter[2]);
        counter = [
            (second >> 32) as u32 ^ counter[1] ^ key[0],
            second as u32,
            (first >> 32) as u32 ^ counter[3] ^ key[1],
            first as u32,
        ];
        key = [key[0].wrapping_add(0x9E37_79B9), key[1].wrapping_add(0xBB67_AE85)];
    }
    counter
}

/// 1 for every element that step `step` keeps, 0 for the others.
pub fn dropout_mask(dropout: &Dropout, shape: &Shape, step: &Array) -> Array {
    let mut mask = Array::zeros(shape.clone());
    let key = [dropout.seed as u32, (dropout.seed >> 32) as u32];
    let neighbours = match dropout.of {
        Unit::Element => 1,
        Unit::Channel => shape[2..].iter().product(),
    };
    for (i, kept) in mask.data.iter_mut().enumerate() {
        let unit = i / neighbours;
        let words = philox4x32([(unit / 4) as u32, dropout.node, step.data[0] as u32, 0], key);
        let uniform = f64::from(words[unit % 4]) / 2f64.powi(32);
        *kept = if uniform < f64::from(dropout.keep) { 1.0 } else { 0.0 };
    }
    mask
}

/// Kept elements over the keep probability, the others times zero.
pub fn dropout(dropout: &Dropout, x: &Array, step: &Array) -> Array {
    let mask = dropout_mask(dropout, &x.shape, step);
    x.zip(&mask, |x, kept| if kept == 1.0 { x / f64::from(dropout.keep) } else { 0.0 * x })
}
