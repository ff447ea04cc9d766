//! Dropout, its mask, and the generator behind it.

use crate::op::{Array, Reference};
use crate::ops::dropout::{Dropout, DropoutMask, Unit};
use crate::tensor::Shape;

/// Four words of Philox4x32-10 (Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as
/// 1, 2, 3", 2011) for a counter and a key.
pub(super) fn philox4x32(mut counter: [u32; 4], mut key: [u32; 2]) -> [u32; 4] {
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
fn dropout_mask(dropout: &Dropout, shape: &Shape, step: &Array) -> Array {
    let mut mask = Array::zeros(shape.clone());
    let key = [dropout.seed as u32, (dropout.seed >> 32) as u32];
    let neighbours = match dropout.of {
        Unit::Element => 1,
        Unit::Channel => shape[2..].iter().product(),
        Unit::Sample => shape[1..].iter().product(),
    };
    for (i, kept) in mask.data.iter_mut().enumerate() {
        let unit = i / neighbours;
        let words = philox4x32([(unit / 4) as u32, dropout.node, step.data[0] as u32, 0], key);
        let uniform = f64::from(words[unit % 4]) / 2f64.powi(32);
        *kept = if uniform < f64::from(dropout.keep()) { 1.0 } else { 0.0 };
    }
    mask
}

/// Kept elements over the keep probability, the others times zero.
impl Reference for Dropout {
    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let mask = dropout_mask(self, &inputs[0].shape, inputs[1]);
        vec![inputs[0].zip(&mask, |x, kept| if kept == 1.0 { x / f64::from(self.keep()) } else { 0.0 * x })]
    }
}

impl Reference for DropoutMask {
    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        vec![dropout_mask(&self.dropout, &self.shape, inputs[0])]
    }
}

#[cfg(test)]
mod tests {
    use super::philox4x32;

    /// The known answers that the generator's authors publish with their library (Random123).
    #[test]
    fn philox_gives_the_published_vectors() {
        let pi = [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344];
        for (counter, key, words) in [
            ([0; 4], [0; 2], [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]),
            ([u32::MAX; 4], [u32::MAX; 2], [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]),
            (pi, [0xa409_3822, 0x299f_31d0], [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]),
        ] {
            assert_eq!(philox4x32(counter, key), words);
        }
    }
}
