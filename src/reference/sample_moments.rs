//! Moments over samples, element by element.

use crate::op::{Array, Reference};
use crate::ops::sample_moments::SampleMoments;

/// Mean and sum of squared deviations of `number` samples, from those of `number - 1` and one more sample.
impl Reference for SampleMoments {
    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let [x, number, mean, deviations] = [0, 1, 2, 3].map(|i| inputs[i]);
        let n = number.data[0];
        if n <= 1.0 {
            return vec![x.clone(), Array::zeros(x.shape.clone())];
        }
        // The mean by its sum. The deviations by the sample's distance from the mean of the samples before it.
        let new_mean = x.zip(mean, |x, mean| (x + (n - 1.0) * mean) / n);
        let added = x.zip(mean, |x, mean| (x - mean).powi(2) * (n - 1.0) / n);
        vec![new_mean, deviations.zip(&added, |old, added| old + added)]
    }
}
