//! From a network's outputs to classes. Most networks end in logits; some ONNX files end in a softmax of their own.

use crate::out::{Outcome, fail};
use wgrad::HostTensor;
use wgrad::predict::{Class, Predictor};

/// How far probabilities may be from adding up to 1.
const ROUNDING: f32 = 1e-3;

/// Decides at the first batch what outputs are.
#[derive(Default)]
pub(super) struct Answers {
    are_probabilities: Option<bool>,
}

impl Answers {
    /// The most likely classes of each row of outputs.
    pub(super) fn of(
        &mut self,
        predictor: &Predictor,
        outputs: &HostTensor,
        top: usize,
    ) -> Outcome<Vec<Vec<Class>>> {
        let (&[_, classes], Some(numbers)) = (&outputs.shape[..], outputs.as_f32()) else {
            return fail(format!(
                "the network makes {} of a batch of pictures, expected logits [n, classes]",
                outputs.shape
            ));
        };
        let decided = *self.are_probabilities.get_or_insert_with(|| are_probabilities(numbers, classes));
        if decided {
            return Ok(predictor.most_probable(outputs, top));
        }
        let probabilities = HostTensor::f32(outputs.shape.clone(), softmax(numbers, classes))?;
        Ok(predictor.most_probable(&probabilities, top))
    }

    /// What was assumed.
    pub(super) fn note(&self) -> Option<String> {
        let taken =
            "the network's outputs add up to 1, so they are taken as probabilities, without a softmax";
        self.are_probabilities.unwrap_or(false).then(|| taken.to_owned())
    }
}

/// Whether every row is of probabilities that add up to 1. A single class has no others to add up with.
fn are_probabilities(numbers: &[f32], classes: usize) -> bool {
    let row = |row: &[f32]| {
        row.iter().all(|x| (0.0..=1.0 + ROUNDING).contains(x))
            && (row.iter().sum::<f32>() - 1.0).abs() < ROUNDING
    };
    classes > 1 && numbers.chunks_exact(classes).all(row)
}

/// The softmax of each row, in f64.
fn softmax(numbers: &[f32], classes: usize) -> Vec<f32> {
    let row = |row: &[f32]| {
        let most = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let powers: Vec<f64> = row.iter().map(|&x| (f64::from(x) - f64::from(most)).exp()).collect();
        let sum: f64 = powers.iter().sum();
        powers.into_iter().map(move |power| (power / sum) as f32).collect::<Vec<_>>()
    };
    numbers.chunks(classes.max(1)).flat_map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_are_told_from_logits() {
        assert!(are_probabilities(&[0.25, 0.75, 1.0, 0.0], 2));
        assert!(!are_probabilities(&[0.25, 0.75, 1.0, 0.1], 2));
        assert!(!are_probabilities(&[2.0, -1.0], 2));
        assert!(!are_probabilities(&[f32::NAN, 1.0], 2));
        assert!(!are_probabilities(&[1.0], 1));
        assert_eq!(softmax(&[0.0, 0.0, 5.0, 5.0], 2), [0.5; 4]);
    }
}
