//! Moments over samples, element by element.

use crate::op::{Array, Reference};
use crate::ops::sample_moments::SampleMoments;

/// Mean and sum of squared deviations with one more sample, whose share of all weights says what the others weigh.
impl Reference for SampleMoments {
    fn reference(&self, inputs: &[&Array]) -> Vec<Array> {
        let [x, weight, share, mean, deviations] = [0, 1, 2, 3, 4].map(|i| inputs[i]);
        let (weight, share) = (weight.data[0], share.data[0]);
        if share >= 1.0 {
            return vec![x.clone(), Array::zeros(x.shape.clone())];
        }
        // The mean by its parts. The deviations by the sample's distance from the mean of the samples before it.
        let new_mean = x.zip(mean, |x, mean| share * x + (1.0 - share) * mean);
        let added = x.zip(mean, |x, mean| weight * (1.0 - share) * (x - mean).powi(2));
        vec![new_mean, deviations.zip(&added, |old, added| old + added)]
    }
}
